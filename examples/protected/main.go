// SPDX-License-Identifier: AGPL-3.0-only

// Command protected hosts notes that only callers with a token read or write, and
// keeps itself registered. Its one argument is the file of tokens. Try it with
//
//	go run ./cmd/plexus-registry token new ada --scope notes:read --scope notes:write:ada --tokens tokens.toml
//	go run ./examples/protected tokens.toml
//	go run ./cmd/plexus -P 4444 --token plx_… protected-hub notes write --owner ada --text "Call mother"
//	go run ./cmd/plexus -P 4444 --token plx_… protected-hub notes list
//
// To serve other machines, it needs transport.WithTLS as well. Where the registry
// is protected, too, REGISTRY_TOKEN is a token of it.
package main

import (
	"cmp"
	"context"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// Notes is the activation.
type Notes struct {
	mu  sync.Mutex
	all []Note
}

// Note is one note.
type Note struct {
	Owner string `json:"owner" description:"Whose note it is"`
	Text  string `json:"text"`
}

// List is what the method list answers with.
type List struct {
	Notes []Note `json:"notes"`
}

// Define is called once, when the hub registers the notes. A method without
// plugin.Requires would be open to everybody with access.
func (n *Notes) Define() plugin.Definition {
	return plugin.Definition{
		Namespace: "notes", Version: "1.0.0", Description: "Keeps notes",
		Methods: []plugin.Method{
			plugin.Unary("list", "List all notes", func(context.Context, plugin.None) (List, error) { return n.list(), nil },
				plugin.Requires("notes:read")),
			plugin.Unary("write", "Write a note", func(_ context.Context, in Note) (Note, error) { return n.add(in), nil },
				plugin.RequiresFor("notes:write", func(in Note) string { return in.Owner })),
		},
	}
}

func (n *Notes) list() List {
	n.mu.Lock()
	defer n.mu.Unlock()
	return List{Notes: append([]Note{}, n.all...)}
}

func (n *Notes) add(note Note) Note {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, note)
	return note
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		log.Fatal("usage: protected TOKENS")
	}
	tokens, err := auth.New(auth.Config{Tokens: os.Args[1]})
	if err != nil {
		log.Fatal(err)
	}
	options := []transport.Option{
		tokens.Option(),
		// Callers without a token may do what needs no scope: ask for the hub's name,
		// as registries do that check whether it is there, and for schemas.
		transport.WithAnonymous(),
		transport.WithRegistration("", registryclient.Registration{}, registryOptions()...),
	}
	h, err := hub.New("protected-hub")
	if err == nil {
		err = h.Register(new(Notes))
	}
	if err == nil {
		err = transport.ListenAndServe(ctx, cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444"), h, options...)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// registryOptions are the credentials for the registry, if it asks for any.
func registryOptions() (options []client.Option) {
	if token := os.Getenv("REGISTRY_TOKEN"); token != "" {
		options = append(options, client.WithToken(token))
	}
	return options
}
