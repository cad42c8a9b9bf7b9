// SPDX-License-Identifier: AGPL-3.0-only

// Command wizard hosts an activation that asks its caller while it runs. Try it
// with
//
//	go run ./cmd/plexus -P 4444 wizard-hub wizard create
//	go run ./cmd/plexus -P 4444 wizard-hub wizard create --answer shop --answer web --yes
package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// Template is what a project starts from.
type Template string

// Enum lists the templates. The caller sees the labels.
func (Template) Enum() []plugin.Choice {
	return []plugin.Choice{
		{Value: "empty", Label: "Nothing at all"},
		{Value: "web", Label: "A web site"},
		{Value: "cli", Label: "A command"},
	}
}

// Event is the result: one of these.
type Event struct {
	plugin.Union `discriminator:"type" description:"What the wizard has done"`
	Created      *Created   `tag:"created" description:"The project is there"`
	Abandoned    *Abandoned `tag:"abandoned" description:"The caller did not want it"`
}

// Created is what was made.
type Created struct {
	Name     string   `json:"name"`
	Template Template `json:"template"`
}

// Abandoned says at which step the caller cancelled.
type Abandoned struct {
	Step string `json:"step"`
}

func create(ctx context.Context, _ plugin.None) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		created, step, err := interview(ctx)
		switch {
		case errors.Is(err, plugin.ErrCancelled):
			yield(Event{Abandoned: &Abandoned{Step: step}}, nil)
		case err != nil:
			yield(Event{}, err)
		default:
			yield(Event{Created: &created}, nil)
		}
	}
}

// interview asks what to create, and returns the step at which it ended.
func interview(ctx context.Context) (created Created, step string, err error) {
	created.Name, err = plugin.Ask(ctx, plugin.Prompt{Message: "What is the project called?", Placeholder: "my-project"})
	if err != nil {
		return created, "name", err
	}
	plugin.Progress(ctx, "The name is "+created.Name, 33)
	created.Template, err = plugin.Ask(ctx, plugin.Select[Template]{Message: "What does it begin with?"})
	if err != nil {
		return created, "template", err
	}
	plugin.Progress(ctx, "It begins with "+string(created.Template), 66)
	sure, err := plugin.Ask(ctx, plugin.Confirm{Message: "Create " + created.Name + "?"})
	if err == nil && !sure {
		err = plugin.ErrCancelled
	}
	return created, "confirmation", err
}

var wizard = plugin.Definition{
	Namespace:   "wizard",
	Version:     "1.0.0",
	Description: "Creates projects, step by step",
	Methods: []plugin.Method{
		plugin.Stream("create", "Create a project", create, plugin.Bidirectional()),
	},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := hub.New("wizard-hub")
	if err == nil {
		err = h.Register(wizard)
	}
	if err == nil {
		address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444")
		err = transport.ListenAndServe(ctx, address, h)
	}
	if err != nil {
		log.Fatal(err)
	}
}
