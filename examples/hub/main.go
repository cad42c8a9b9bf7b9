// SPDX-License-Identifier: AGPL-3.0-only

// Command hub is a hub with two activations: the registry and another one.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err1 := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444"))
	store, err2 := sqlite.Open(ctx, ":memory:") // or a path
	h, err3 := hub.New("my-hub")
	if err := errors.Join(err1, err2, err3); err != nil {
		log.Fatal(err)
	}
	reg, err := registry.New(ctx, store, registry.WithSelf(h.Namespace(), transport.LocalAddress(listener.Addr())))
	if err := errors.Join(err, h.Register(reg), h.Register(echo.New())); err != nil {
		log.Fatal(err)
	}
	fmt.Println(transport.LocalURL(listener.Addr(), false))
	err = transport.New(h).Serve(ctx, listener)
	log.Println("stopped:", errors.Join(err, reg.Close(), store.Close()))
}
