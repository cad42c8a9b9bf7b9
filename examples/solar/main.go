// SPDX-License-Identifier: AGPL-3.0-only

// Command solar hosts activations below activations: planets and their moons,
// which are fixed children, and comets, which are found when they are called. Try
// it with
//
//	go run ./cmd/plexus -P 4444 solar-hub solar earth luna info
//	go run ./cmd/plexus -P 4444 solar-hub solar list_children
//	go run ./cmd/plexus -P 4444 solar-hub solar halley info
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

// Body is what info answers.
type Body struct {
	Name     string  `json:"name"`
	RadiusKM float64 `json:"radius_km"`
	Orbit    float64 `json:"orbit,omitzero" description:"In days"`
}

// body makes the activation of a celestial body, with others around it.
func body(kind string, b Body, around ...plugin.Activation) plugin.Definition {
	return plugin.Definition{
		Namespace:   strings.ToLower(b.Name),
		Version:     "1.0.0",
		Description: b.Name + ", a " + kind,
		Children:    around,
		Methods: []plugin.Method{
			plugin.Unary("info", "Tell about "+b.Name, func(context.Context, plugin.None) (Body, error) { return b, nil }, plugin.Quick()),
		},
	}
}

// comets are made once: a hub keeps what it knows of a pointer that it has seen.
var comets = []*plugin.Definition{
	comet(Body{Name: "Encke", RadiusKM: 2.4, Orbit: 1204}),
	comet(Body{Name: "Hale-Bopp", RadiusKM: 30, Orbit: 925_000}),
	comet(Body{Name: "Halley", RadiusKM: 5.5, Orbit: 27_500}),
}

func comet(b Body) *plugin.Definition {
	d := body("comet", b)
	return &d
}

// findComet returns the activation of a comet; nil if there is none.
func findComet(_ context.Context, name string) (plugin.Activation, error) {
	for _, c := range comets {
		if strings.EqualFold(c.Namespace, name) {
			return c, nil
		}
	}
	return nil, nil
}

func searchComets(_ context.Context, query string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, c := range comets {
			if strings.Contains(c.Namespace, query) && !yield(c.Namespace, nil) {
				return
			}
		}
	}
}

func solar() plugin.Definition {
	sun := body("star", Body{Name: "Solar", RadiusKM: 695_700},
		body("planet", Body{Name: "Earth", RadiusKM: 6371, Orbit: 365.26},
			body("moon", Body{Name: "Luna", RadiusKM: 1737, Orbit: 27.3})),
		body("planet", Body{Name: "Mars", RadiusKM: 3390, Orbit: 687},
			body("moon", Body{Name: "Phobos", RadiusKM: 11.3, Orbit: 0.32}),
			body("moon", Body{Name: "Deimos", RadiusKM: 6.2, Orbit: 1.26})))
	sun.Dynamic = &plugin.Dynamic{
		Kind: "comet", Description: "Find a comet by its name",
		Find:   findComet,
		List:   func(ctx context.Context) iter.Seq2[string, error] { return searchComets(ctx, "") },
		Search: searchComets,
	}
	return sun
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := hub.New("solar-hub")
	if err == nil {
		err = h.Register(solar())
	}
	if err == nil {
		address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444")
		err = transport.ListenAndServe(ctx, address, h)
	}
	if err != nil {
		log.Fatal(err)
	}
}
