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
	"crypto/tls"
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
	"sync"
	"syscall"

	"github.com/mattn/go-isatty"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/client"
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
	env, err := config.NewEnv(settings.Backends)
	if err != nil {
		return err
	}

	store, err := sqlite.Open(ctx, settings.DBPath, sqlite.WithLogger(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	options := []registry.Option{
		registry.WithLogger(log),
		registry.WithVersion(version()),
		registry.WithSource(env),
		registry.WithSource(file),
		registry.WithHealth(registry.Health{
			Prober:   newProber(),
			Interval: settings.HealthInterval,
			Timeout:  settings.HealthTimeout,
		}),
	}
	for _, a := range settings.AutoRegister {
		options = append(options, registry.WithDiscovery(registry.Address(a)))
	}
	reg, err := registry.New(ctx, store, options...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	var reloading sync.WaitGroup
	defer reloading.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reloading.Go(func() { reloadOnHangup(ctx, reg) })

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

// prober asks hubs for their names.
type prober struct{ options []client.Option }

// newProber makes a prober whose probes share TLS sessions.
func newProber() prober {
	sessions := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	return prober{[]client.Option{client.WithTLS(sessions)}}
}

func (p prober) Probe(ctx context.Context, url string) (name string, err error) {
	info, err := client.Info(ctx, url, p.options...)
	return info.Name, err
}

// reloadOnHangup does what registry.reload does at each SIGHUP, until ctx is
// done.
func reloadOnHangup(ctx context.Context, reg *registry.Registry) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			// What goes wrong is logged by the registry.
			_, _ = reg.Reload(ctx, plugin.None{})
		}
	}
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
