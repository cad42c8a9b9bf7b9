// SPDX-License-Identifier: AGPL-3.0-only

// Command handles hosts two activations: a library, which gives out handles to its
// notes, and a printer, which prints what a handle stands for without knowing the
// library. Try it with
//
//	go run ./cmd/plexus -P 4444 handles-hub library add --text "Call mother" --json
//	go run ./cmd/plexus -P 4444 handles-hub printer print --handle '…'
package main

import (
	"cmp"
	"context"
	"log"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport"
)

// Library keeps notes.
type Library struct {
	mu    sync.Mutex
	notes []Note
}

// Note is one note.
type Note struct {
	Text string `json:"text"`
}

// Added refers to the note that was added.
type Added struct {
	Handle plugin.Handle `json:"handle"`
	Text   string        `json:"text" description:"The handle as text"`
}

type printParams struct {
	Handle plugin.Handle `json:"handle" description:"What to print"`
}

// Printed is a page.
type Printed struct {
	Page string `json:"page"`
}

// Define is called once, when the hub registers the library.
func (l *Library) Define() plugin.Definition {
	d := plugin.Definition{Namespace: "library", Version: "1.2.0", Description: "Keeps notes", Resolve: l.resolve}
	d.Methods = []plugin.Method{
		plugin.Unary("add", "Add a note", func(_ context.Context, in Note) (Added, error) {
			h := d.Handle("note", strconv.Itoa(l.add(in)))
			return Added{Handle: h, Text: h.String()}, nil
		}),
	}
	return d
}

func (l *Library) add(n Note) (number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, n)
	return len(l.notes)
}

// resolve returns the note that a handle stands for. The hub calls it.
func (l *Library) resolve(_ context.Context, h plugin.Handle) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(h.Meta) == 1 && h.Method == "note" {
		if n, err := strconv.Atoi(h.Meta[0]); err == nil && n > 0 && n <= len(l.notes) {
			return l.notes[n-1], nil
		}
	}
	return nil, plugin.Errorf(plugin.CodeFailure, "No such note: %s", h)
}

var printer = plugin.Definition{
	Namespace: "printer", Version: "1.0.0", Description: "Prints what handles stand for",
	Methods: []plugin.Method{
		plugin.Unary("print", "Print one", func(ctx context.Context, in printParams) (Printed, error) {
			note, err := plugin.Resolve[Note](ctx, in.Handle)
			return Printed{Page: "* " + note.Text}, err
		}),
	},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := hub.New("handles-hub")
	for _, a := range []plugin.Activation{&Library{}, printer} {
		if err == nil {
			err = h.Register(a)
		}
	}
	if err == nil {
		address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444")
		err = transport.ListenAndServe(ctx, address, h)
	}
	if err != nil {
		log.Fatal(err)
	}
}
