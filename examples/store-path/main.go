// SPDX-License-Identifier: AGPL-3.0-only

// Command store-path is a registry hub whose database is where its one
// argument says, and which logs to standard error.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: store-path DATABASE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, database string) (err error) {
	logger := slog.Default()
	store, err := sqlite.Open(ctx, database, sqlite.WithLogger(logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	reg, err := registry.New(ctx, store, registry.WithLogger(logger))
	if err != nil {
		return err
	}
	defer reg.Close()
	h, err := hub.New("registry-hub", hub.WithLogger(logger))
	if err != nil {
		return err
	}
	if err := h.Register(reg); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:4445"))
	if err != nil {
		return err
	}
	fmt.Println(transport.LocalURL(listener.Addr(), false))
	return transport.New(h, transport.WithLogger(logger)).Serve(ctx, listener)
}
