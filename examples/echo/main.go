// SPDX-License-Identifier: AGPL-3.0-only

// Command echo hosts an activation with two methods: one that answers once, and
// one that answers with a stream. Try it with
//
//	go run ./cmd/plexus -P 4444 echo-hub echo say --text hello --mood loud
//	go run ./cmd/plexus -P 4444 echo-hub echo repeat --text hello --times 2
package main

import (
	"cmp"
	"context"
	"iter"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// Mood is an enumeration: callers can't send anything else.
type Mood string

// Enum lists the values.
func (Mood) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "calm", Description: "As it was said"}, {Value: "loud", Description: "IN CAPITALS"}}
}

type sayParams struct {
	Text string `json:"text" description:"What to say"`
	Mood Mood   `json:"mood,omitzero" default:"calm" description:"How to say it"`
}

type repeatParams struct {
	Text  string `json:"text" description:"What to say"`
	Times uint8  `json:"times,omitzero" default:"3" description:"How often"`
}

// Echo is what both methods answer with.
type Echo struct {
	Text   string `json:"text"`
	Number uint8  `json:"number" description:"Which one it is, from 1"`
}

func say(_ context.Context, in sayParams) (Echo, error) {
	if in.Mood == "loud" {
		in.Text = strings.ToUpper(in.Text)
	}
	return Echo{Text: in.Text, Number: 1}, nil
}

func repeat(ctx context.Context, in repeatParams) iter.Seq2[Echo, error] {
	return func(yield func(Echo, error) bool) {
		for n := range in.Times {
			if !yield(Echo{Text: in.Text, Number: n + 1}, nil) {
				return // the caller wants no more
			}
		}
	}
}

var echo = plugin.Definition{
	Namespace:   "echo",
	Version:     "1.0.0",
	Description: "Says back what it is told",
	Methods: []plugin.Method{
		plugin.Unary("say", "Say a text back once", say, plugin.Example(sayParams{Text: "hello", Mood: "loud"})),
		plugin.Stream("repeat", "Say a text back several times", repeat),
	},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := hub.New("echo-hub")
	if err == nil {
		err = h.Register(echo)
	}
	if err == nil {
		address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444")
		err = transport.ListenAndServe(ctx, address, h)
	}
	if err != nil {
		log.Fatal(err)
	}
}
