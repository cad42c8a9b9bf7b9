// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

// backends are what a run works on: numbered, under a prefix of its own, so
// that nothing else in the registry is touched.
type backends struct {
	hub     *client.Client
	timeout time.Duration // of each call
	prefix  string
	n       int
}

// backendDigits is how many digits a backend's number has in its name.
const backendDigits = 6

// writers is how many calls prepare and remove backends at once.
const writers = 16

func newBackends(hub *client.Client, n int, timeout time.Duration) *backends {
	return &backends{hub: hub, timeout: timeout, prefix: fmt.Sprintf("bench-%08x-", rand.Uint32()), n: n} // #nosec G404 -- it keeps runs apart, and is no secret
}

func (b *backends) name(i int) string { return fmt.Sprintf("%s%0*d", b.prefix, backendDigits, i) }

// params are the parameters of a registration. Where the hub probes backends,
// nobody is at the address, and it says so at once.
func (b *backends) params(i int) []byte {
	return fmt.Appendf(nil, `{"name":%q,"host":"127.0.0.1","port":9,"protocol":"ws","description":"A backend of a benchmark","namespace":%q}`,
		b.name(i), strings.TrimSuffix(b.prefix, "-"))
}

// register registers all of them. When it returns, nothing of it is under way.
func (b *backends) register(ctx context.Context) error {
	return each(ctx, b.n, func(i int) error {
		if err := b.call(ctx, "registry.register", json.RawMessage(b.params(i)), new(answer), "backend_registered"); err != nil {
			return fmt.Errorf("registering %s: %w", b.name(i), err)
		}
		return nil
	})
}

// remove deletes what the registry lists of them, until it lists none: so
// nothing is left of a preparation that was broken off either.
func (b *backends) remove(ctx context.Context) error {
	// Each page that is not empty has some of them deleted.
	for range b.n + 1 {
		names, err := b.left(ctx)
		if err != nil {
			return fmt.Errorf("removing the backends %s*: %w", b.prefix, err)
		}
		if len(names) == 0 {
			return nil
		}
		err = each(ctx, len(names), func(i int) error {
			return b.call(ctx, "registry.delete", map[string]string{"name": names[i]}, new(answer), "backend_deleted")
		})
		if err != nil {
			return fmt.Errorf("removing the backends %s*: %w", b.prefix, err)
		}
	}
	return fmt.Errorf("removing the backends %s*: they are listed again and again", b.prefix)
}

// left returns the names of some that are still there; none if none is.
func (b *backends) left(ctx context.Context) ([]string, error) {
	var page answer
	err := b.call(ctx, "registry.list", map[string]any{
		"active_only": false, "limit": 1000, "namespace": strings.TrimSuffix(b.prefix, "-"),
	}, &page, "backends")
	var names []string
	for _, listed := range page.Backends {
		// Not every registry knows the filter.
		if strings.HasPrefix(listed.Name, b.prefix) {
			names = append(names, listed.Name)
		}
	}
	return names, err
}

// answer is what is read of an answer of the registry.
type answer struct {
	Type     string `json:"type"`
	Message  string `json:"message"`
	Backends []struct {
		Name string `json:"name"`
	} `json:"backends"`
}

// call makes a call to its end, though ctx be done: a write that is given up
// might take effect after the backends were removed.
func (b *backends) call(ctx context.Context, method string, params any, into *answer, want string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
	defer cancel()
	got, err := client.CallOne[answer](ctx, b.hub, method, params)
	*into = got
	switch {
	case err != nil:
		return err
	case got.Type == "error":
		return errors.New(got.Message)
	case got.Type != want:
		return fmt.Errorf("%s answered %.64q, not %q", method, got.Type, want)
	}
	return nil
}

// each calls do with the numbers below n, several at once, until one fails or
// ctx is done, and waits for all that it began.
func each(ctx context.Context, n int, do func(i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	numbers := make(chan int)
	var group sync.WaitGroup
	for range min(writers, n) {
		group.Go(func() {
			for i := range numbers {
				if err := do(i); err != nil {
					stop(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		select {
		case numbers <- i:
		case <-ctx.Done():
		}
	}
	close(numbers)
	group.Wait()
	return context.Cause(ctx)
}
