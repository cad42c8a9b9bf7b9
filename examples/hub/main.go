// SPDX-License-Identifier: AGPL-3.0-only

// Command hub is a hub of one's own: the registry beside another activation.
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

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	store, err1 := sqlite.Open(ctx, ":memory:") // or a path
	reg, err2 := registry.New(ctx, store)
	h, err3 := hub.New("my-hub")
	listener, err4 := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4444"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(h.Register(reg), h.Register(echo.New())); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ws://%s\n", listener.Addr())
	err := transport.New(h).Serve(ctx, listener)
	log.Println("stopped:", errors.Join(err, reg.Close(), store.Close()))
}
