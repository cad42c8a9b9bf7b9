// SPDX-License-Identifier: AGPL-3.0-only

// Command plexus-registry is a Plexus hub that hosts the registry, and nothing
// else, on port 4445.
//
// The first line that it prints is the address that clients connect to; its
// log goes to standard error, as text on a terminal and as JSON elsewhere. It waits
// for the reader of neither. SIGINT and SIGTERM stop it gracefully, a second one at
// once; SIGHUP reloads what it lists.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/config"
	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/internal/logqueue"
	"github.com/plexus-go/plexus/internal/settings"
	"github.com/plexus-go/plexus/plugin/registry"
	"github.com/plexus-go/plexus/storage/sqlite"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/prober"
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
	caught := catchSignals() // before anything else
	out, problems := &output{Writer: stdout}, newErrorOutput(stderr)
	defer problems.Close(flush)
	status := misused // until the settings are read
	command := newCommand(getenv, func(s *settings.Registry) error {
		status = failed
		problems.level.Set(s.LogLevel)
		return caught.within(func() error { return serve(caught, s, problems, stdout) })
	})
	command.AddCommand(newTokenCommand(getenv, &status))
	command.SetArgs(args)
	command.SetOut(out)
	command.SetErr(problems)
	err := command.Execute()
	if out.err != nil { // cobra ignores that the help can't be written
		err, status = out.err, failed
	}
	if err != nil {
		// One line, though several things may have failed.
		fmt.Fprintf(problems, "plexus-registry: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		return status
	}
	return succeeded
}

// newCommand makes the command line, which calls run with the settings.
func newCommand(getenv func(string) string, run func(*settings.Registry) error) *cobra.Command {
	s := settings.NewRegistry()
	command := &cobra.Command{
		Use:   "plexus-registry",
		Short: "Serve a registry of Plexus hubs",
		Long:  "plexus-registry keeps a list of Plexus hubs, so that clients find them by name.",
		Args:  cobra.NoArgs,
		Example: `  plexus-registry
      Serve ws://127.0.0.1:4445; files are in ~/.config/plexus.
  plexus-registry --host 0.0.0.0 --port 8080 --config /etc/plexus/backends.toml
      Serve all IPv4 interfaces; the database is /etc/plexus/registry.db. This
      needs --tls-cert, --tls-key and --tokens as well, or --insecure.
  plexus-registry token new ci --scope registry:read
      Make a token and print it; a file keeps its hash.`,
		Version: version(),
		RunE: func(*cobra.Command, []string) error {
			if err := s.Read(getenv); err != nil {
				return err
			}
			return run(s)
		},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	command.SetVersionTemplate("plexus-registry {{.Version}}\n")
	s.Table.AddTo(command)
	return command
}

// serve runs the hub until a signal asks it to stop.
func serve(caught *signals, s *settings.Registry, problems *errorOutput, stdout io.Writer) (err error) {
	log, ctx := problems.logger(problems), caught.stop
	slog.SetDefault(log) // for net/http, which logs with package log
	starting := true
	defer func() {
		if starting && ctx.Err() != nil { // which is why it did not start
			err = nil
		}
	}()
	// What can fail without a trace comes first: a start that fails has not
	// touched the database then, which the registry that holds the port may
	// be using.
	listener, err := listen(s.Host, s.Port)
	if err != nil {
		return fmt.Errorf("can't listen: %w (--host and --port, or their variables, name another address)", err)
	}
	defer listener.Close() // again, after a start that succeeded
	access, err := openAccess(s, listener.Addr(), log)
	if err != nil {
		return err
	}
	file := config.NewFile(s.ConfigPath)
	if _, err := file.Load(ctx); err != nil {
		return err
	}

	store, err := sqlite.Open(ctx, s.DBPath, sqlite.WithLogger(log))
	if errors.Is(err, sqlite.ErrInUse) {
		return fmt.Errorf("%w; --db-path names one of its own", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	h, err := hub.New(s.HubNamespace, hub.WithLogger(log))
	if err != nil {
		return err
	}
	server := transport.New(h, access.options...)

	warnings := warningsOf(s, access)
	var watchCredentials func(context.Context)
	if s.Health.Probe, watchCredentials, err = prober.New(s.Probe, log); err != nil {
		return err
	}
	options := []registry.Option{
		registry.WithLogger(log),
		registry.WithRegistrations(s.MaxRegistrations),
		registry.WithNameBytes(s.MaxNameBytes),
		registry.WithForgetAfter(s.ForgetAfter),
		registry.WithCounters(func() map[string]int64 { return counters(server.Stats(), problems.Dropped()) }),
		registry.WithWarnings(func() []string { return slices.Concat(access.insecure, warnings()) }),
		registry.WithVersion(version()),
		registry.WithSource(file),
		registry.WithSource(s.Backends),
		registry.WithHealth(s.Health),
		registry.WithDiscovery(s.AutoRegister...),
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
	beside.Go(func() { reloadOnHangup(ctx, caught.hangup, reg, log) })
	beside.Go(func() { watchCredentials(ctx) })
	beside.Go(func() { logWarnings(ctx, warnings, log) })
	if err := h.Register(reg); err != nil {
		return err
	}

	address := logqueue.New(stdout, 1<<10, nil)
	defer address.Close(0)
	fmt.Fprintln(address, clientURL(s, listener.Addr()))
	log.Info("serving", "hub", h.Namespace(), "address", listener.Addr().String(),
		"database", s.DBPath, "config", s.ConfigPath, "version", version())
	starting = false
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
func clientURL(s *settings.Registry, at net.Addr) string {
	if names := s.TLS.ACME.Names; len(names) > 0 {
		name, _ := address.Host(names[0])
		return "wss://" + name
	}
	return transport.LocalURL(at, s.Encrypts())
}

// reloadOnHangup does what registry.reload does at each SIGHUP, until ctx is
// done.
func reloadOnHangup(ctx context.Context, hangup <-chan os.Signal, reg *registry.Registry, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			// What goes wrong is logged by the registry.
			if count, err := reg.Reload(ctx); err == nil {
				log.Info("reloaded at a hangup", "changed", count)
			}
		}
	}
}

// version is that of the module, as it was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
