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
	"net/netip"
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
	if len(args) > 0 && args[0] == "token" {
		return token(args[1:], getenv, stdout, stderr)
	}
	settings, err := config.Parse(args, getenv, stdout)
	switch {
	case errors.Is(err, config.ErrHelp):
		return succeeded
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintln(stdout, "plexus-registry", version())
		return succeeded
	case err == nil && settings.HubNamespace == registry.Namespace:
		err = &config.UsageError{Name: "--hub-namespace", Value: strconv.Quote(settings.HubNamespace), Rule: "is the namespace of the registry itself"}
	}
	if err != nil {
		fmt.Fprintf(stderr, "plexus-registry: %v\n", err)
		return misused
	}

	ctx, stop := untilSignal(context.Background())
	defer stop()

	log := newLogger(stderr, settings.LogLevel)
	if err := serve(ctx, settings, log, stdout); err != nil {
		// One line, though several things may have failed.
		fmt.Fprintf(stderr, "plexus-registry: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		return failed
	}
	return succeeded
}

// untilSignal returns a context that is done at the first SIGINT or SIGTERM.
// From then on the next one has its usual effect.
func untilSignal(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with ctx
		select {
		case <-signals:
		case <-ctx.Done():
		}
		// Before anybody can see that it is ending: a second signal that comes
		// then must not be lost.
		signal.Stop(signals)
		cancel()
	}()
	return ctx, cancel
}

// serve runs the hub until ctx is done.
func serve(ctx context.Context, settings config.Settings, log *slog.Logger, stdout io.Writer) (err error) {
	// What can fail without a trace comes first: a start that fails has not
	// touched the database then, which the registry that holds the port may
	// be using.
	listener, err := listen(settings.Host, settings.Port)
	if err != nil {
		return fmt.Errorf("can't listen: %w (--host and --port, or their variables, name another address)", err)
	}
	defer listener.Close() // again, after a start that succeeded
	doors, err := openDoors(ctx, settings, listener.Addr(), log)
	if err != nil {
		return err
	}
	file := config.NewFile(settings.ConfigPath)
	if _, err := file.Load(ctx); err != nil {
		return err
	}
	env, err := config.NewEnv(settings.Backends)
	if err != nil {
		return err
	}

	store, err := sqlite.Open(ctx, settings.DBPath, sqlite.WithLogger(log))
	if errors.Is(err, sqlite.ErrInUse) {
		return fmt.Errorf("%w; --db-path names one of its own", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	h, err := hub.New(settings.HubNamespace, hub.WithLogger(log), hub.WithMechanisms(doors.mechanisms...))
	if err != nil {
		return err
	}
	server := transport.New(h, doors.options...)

	options := []registry.Option{
		registry.WithLogger(log),
		registry.WithRegistrations(settings.MaxRegistrations),
		registry.WithNameBytes(settings.MaxName),
		registry.WithCounters(func() map[string]int64 { return counters(server.Stats()) }),
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
	if doors.warning != "" {
		options = append(options, registry.WithWarning(doors.warning))
	}
	reg, err := registry.New(ctx, store, options...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	var beside sync.WaitGroup
	defer beside.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	beside.Go(func() { reloadOnHangup(ctx, reg, log) })

	beside.Go(func() { doors.watch(ctx, server) })
	if err := h.Register(reg); err != nil {
		return err
	}

	fmt.Fprintln(stdout, clientURL(settings, listener.Addr()))
	log.Info("serving", "hub", h.Namespace(), "address", listener.Addr().String(),
		"database", settings.DBPath, "config", settings.ConfigPath, "version", version())
	err = server.Serve(ctx, listener)
	log.Info("stopped")
	return err
}

// listen listens on a host; an IPv4 address is not one for IPv6 as well.
func listen(host string, port int) (net.Listener, error) {
	network := "tcp"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		network = "tcp4"
	}
	return net.Listen(network, net.JoinHostPort(host, strconv.Itoa(port)))
}

// clientURL is where a client reaches the registry: where it has a public name,
// port 443 of that leads here.
func clientURL(settings config.Settings, at net.Addr) string {
	switch {
	case len(settings.ACMENames) > 0:
		return "wss://" + settings.ACMENames[0]
	case settings.Encrypts():
		return "wss://" + transport.LocalAddress(at).String()
	default:
		return "ws://" + transport.LocalAddress(at).String()
	}
}

// prober asks hubs for their names.
type prober struct{ options []client.Option }

// newProber makes a prober whose probes share TLS sessions.
func newProber() prober {
	const mostSessions = 16 << 10 // or backends that are probed in turn would drive each other out
	sessions := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(mostSessions)}
	return prober{[]client.Option{client.WithTLS(sessions)}}
}

func (p prober) Probe(ctx context.Context, url string) (name string, err error) {
	info, err := client.Info(ctx, url, p.options...)
	return info.Name, err
}

// reloadOnHangup does what registry.reload does at each SIGHUP, until ctx is
// done.
func reloadOnHangup(ctx context.Context, reg *registry.Registry, log *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			// What goes wrong is logged by the registry.
			event, err := reg.Reload(ctx, plugin.None{})
			if err == nil && event.Reloaded != nil {
				log.Info("reloaded at a hangup", "changed", event.Reloaded.Count)
			}
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
