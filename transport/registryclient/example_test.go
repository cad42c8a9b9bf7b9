// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"strings"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport/registryclient"
	"github.com/plexus-go/plexus/transport/websocket"
)

// exampleRegistry serves a registry, and returns its address.
func exampleRegistry() (url string, stop func()) {
	ctx := context.Background()
	store, storeErr := sqlite.Open(ctx, ":memory:")
	h, hubErr := hub.New("registry-hub")
	if err := errors.Join(storeErr, hubErr); err != nil {
		log.Fatal(err)
	}
	reg, err := registry.New(ctx, store)
	if err = errors.Join(err, h.Register(reg)); err != nil {
		log.Fatal(err)
	}
	ws := websocket.NewServer(h, websocket.Limits{}, slog.New(slog.DiscardHandler))
	web := httptest.NewServer(ws)
	return "ws" + strings.TrimPrefix(web.URL, "http"), func() {
		web.Close()
		ws.Shutdown(ctx)
		reg.Close()
		store.Close()
	}
}

// Keep a hub registered for as long as it runs.
func ExampleRegister() {
	url, stop := exampleRegistry() // or "", to look for it
	defer stop()
	ctx := context.Background()

	r, err := registryclient.Register(ctx, url, registryclient.Registration{Name: "my-hub", Host: "127.0.0.1", Port: 4446})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close() // deregisters it

	// A hub need not wait, but may.
	if err := r.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("registered")
	// Output: registered
}

// Find a hub by its name. A Resolver is to be kept: it knows the answers.
func ExampleResolver_Resolve() {
	url, stop := exampleRegistry()
	defer stop()
	ctx := context.Background()
	r, err := registryclient.Register(ctx, url, registryclient.Registration{Name: "my-hub", Host: "127.0.0.1", Port: 4446})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(ctx); err != nil {
		log.Fatal(err)
	}

	resolver, err := registryclient.NewResolver(url)
	if err != nil {
		log.Fatal(err)
	}
	defer resolver.Close()

	found, err := resolver.Resolve(ctx, "my-hub")
	if err != nil {
		log.Fatal(err) // registryclient.ErrUnknown, registryclient.ErrInactive, or why the registry can't be asked
	}
	fmt.Println(found.URL(), found.Stale)
	// Output: ws://127.0.0.1:4446 false
}

// Follow what happens in a registry.
func ExampleWatch() {
	url, stop := exampleRegistry()
	defer stop()
	ctx := context.Background()

	var r *registryclient.Registrar
	for event, err := range registryclient.Watch(ctx, url) {
		if err != nil {
			log.Println(err) // for now; the range goes on when the registry is back
			continue
		}
		switch event.Kind {
		case registryclient.EventListed:
			fmt.Println("there are", len(event.Backends))
			r, err = registryclient.Register(ctx, url, registryclient.Registration{Name: "my-hub", Host: "127.0.0.1", Port: 4446})
			if err != nil {
				log.Fatal(err)
			}
		case registryclient.EventRegistered:
			fmt.Println(event.Name, "is at", event.Backend.URL())
			r.Close()
		case registryclient.EventDeregistered:
			fmt.Println(event.Name, "is gone")
		}
		if event.Kind == registryclient.EventDeregistered {
			break
		}
	}
	// Output:
	// there are 0
	// my-hub is at ws://127.0.0.1:4446
	// my-hub is gone
}
