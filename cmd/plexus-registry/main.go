// SPDX-License-Identifier: AGPL-3.0-only

// Command plexus-registry is a Plexus hub that hosts the registry, and nothing
// else, on port 4445.
//
// The first line that it prints is the address that clients connect to; its
// log goes to standard error, as text on a terminal and as JSON elsewhere.
// SIGINT and SIGTERM stop it gracefully, a second one at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	succeeded = 0
	failed    = 1
	misused   = 2
)

func run(args []string, getenv func(string) string, stdout io.Writer, stderr *os.File) int {
	settings, err := config.Parse(args, getenv, stdout)
	switch {
	case errors.Is(err, config.ErrHelp):
		return succeeded
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, "plexus-registry", version())
		return succeeded
	case err != nil:
		fmt.Fprintf(stderr, "plexus-registry: %v\n", err)
		return misused
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, the next one has its usual effect.
	context.AfterFunc(ctx, stop)

	log := newLogger(stderr, settings.LogLevel)
	if err := serve(ctx, settings, log, stdout); err != nil {
		// One line, though several things may have failed.
		fmt.Fprintf(stderr, "plexus-registry: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		return failed
	}
	return succeeded
}

// serve runs the hub until ctx is done.
func serve(ctx context.Context, settings config.Settings, log *slog.Logger, stdout io.Writer) (err error) {
	// What can fail without a trace comes first: a start that fails has not
	// touched the database then, which the registry that holds the port may
	// be using.
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.Host, strconv.Itoa(settings.Port)))
	if err != nil {
		return fmt.Errorf("can't listen: %w", err)
	}
	defer listener.Close() // again, after a start that succeeded
	file := config.NewFile(settings.ConfigPath)
	if _, err := file.Load(ctx); err != nil {
		return err
	}

	store, err := sqlite.Open(ctx, settings.DBPath, sqlite.WithLogger(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	reg, err := registry.New(ctx, store,
		registry.WithLogger(log),
		registry.WithSource(file))
	if err != nil {
		return err
	}
	defer reg.Close()

	h, err := hub.New(settings.HubNamespace, hub.WithLogger(log))
	if err != nil {
		return err
	}
	if err := h.Register(reg); err != nil {
		return err
	}

	fmt.Fprintf(stdout, "ws://%s\n", listener.Addr())
	log.Info("serving", "hub", h.Namespace(), "address", listener.Addr().String(),
		"database", settings.DBPath, "config", settings.ConfigPath, "version", version())
	err = transport.New(h, transport.WithLogger(log)).Serve(ctx, listener)
	log.Info("stopped")
	return err
}

func newLogger(w *os.File, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if isatty.IsTerminal(w.Fd()) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// version is that of the module, as it was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
