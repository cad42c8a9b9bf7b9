// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/internal/testkit/testhub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
)

// quickExit keeps the race detector from making each process that it is in
// sleep for a second when it ends.
const quickExit = "GORACE=atexit_sleep_ms=0"

// timeLimit is how long a test waits for what must happen.
const timeLimit = 20 * time.Second

// TestMain makes this binary the command as well: what the tests run under
// the name plexus is main.
func TestMain(m *testing.M) {
	cobra.EnableCommandSorting = false // as main does
	testscript.Main(waiting{m}, map[string]func(){"plexus": main})
}

// waiting are tests that mostly wait for processes: more of them may run at
// once than there are processors.
type waiting struct{ *testing.M }

func (w waiting) Run() int {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(8, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	return w.M.Run()
}

// coneParams have a parameter of every kind.
type coneParams struct {
	Name    string          `json:"name" description:"Which cone"`
	Size    *uint8          `json:"size" description:"How large it is"`
	Ratio   *float64        `json:"ratio"`
	Kind    coneKind        `json:"kind,omitzero" default:"plain"`
	Tags    []string        `json:"tags,omitempty" description:"What it is called"`
	Numbers []int           `json:"numbers,omitempty"`
	Deep    bool            `json:"deep,omitzero" description:"With all that is below"`
	Edge    *coneEdge       `json:"edge"`
	Note    json.RawMessage `json:"note,omitzero" description:"Anything"`
	JSON    *string         `json:"json" description:"Has the name of a flag"`
	Wait    *time.Duration  `json:"wait,omitzero" description:"How long to wait"`
}

type coneEdge struct {
	Length float64 `json:"length"`
	Color  *string `json:"color"`
}

type coneKind string

func (coneKind) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "plain"}, {Value: "truncated"}, {Value: "double"}}
}

type coneRow struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// cone is an activation that says back what it understood.
func cone() plugin.Activation {
	return plugin.Definition{
		Namespace:   "cone",
		Version:     "1.2.0",
		Description: "Cones of all kinds",
		Methods: []plugin.Method{
			plugin.Unary("mirror", "Say the parameters back", func(_ context.Context, in coneParams) (coneParams, error) { return in, nil }),
			plugin.Unary("list", "List the cones", func(context.Context, plugin.None) ([]coneRow, error) {
				return []coneRow{{"left", 1}, {"right", 20}}, nil
			}),
			plugin.Unary("fail", "Fail", func(context.Context, plugin.None) (plugin.None, error) {
				return plugin.None{}, &plugin.Error{Message: "the cone is broken"}
			}),
			plugin.Stream("skip", "Fail now and then", func(context.Context, plugin.None) iter.Seq2[coneRow, error] {
				return func(yield func(coneRow, error) bool) {
					_ = yield(coneRow{"left", 1}, nil) && yield(coneRow{}, &plugin.Error{Message: "one is missing", Recoverable: true}) &&
						yield(coneRow{"right", 2}, nil)
				}
			}),
			plugin.Stream("forever", "Never end", func(ctx context.Context, _ plugin.None) iter.Seq2[coneRow, error] {
				return func(yield func(coneRow, error) bool) {
					if yield(coneRow{"first", 1}, nil) {
						<-ctx.Done()
					}
				}
			}),
		},
	}
}

// serveHub serves a hub with echo and cone.
func serveHub(t testing.TB, name string) *testhub.Hub {
	return testhub.Start(t, testhub.Config{Name: name, Activations: []plugin.Activation{echo.New(), cone()}})
}

// serveMain serves a hub with a registry, echo and cone as well. The registry
// knows others, name by URL.
func serveMain(t testing.TB, name string, others map[string]string) *testhub.Hub {
	t.Helper()
	h := testhub.Start(t, testhub.Config{Name: name, Activations: []plugin.Activation{echo.New(), cone()}, Registry: true})
	for other, url := range others {
		host, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "ws://"))
		params := fmt.Sprintf(`{"name":%q,"host":%q,"port":%s}`, other, host, port)
		for item := range h.Call("registry.register", []byte(params)).Items(t.Context()) {
			if item.Kind == plugin.KindError {
				t.Error(item.Message)
			}
		}
	}
	return h
}

// environment is that of a command: nothing of the test's own reaches it.
func environment(t testing.TB, registryURL string) []string {
	return []string{
		quickExit, "GOCOVERDIR=" + t.TempDir(), // or it would complain where coverage is measured
		"PATH=" + os.Getenv("PATH"), "PLEXUS_REGISTRY_URL=" + registryURL,
	}
}

// result is how a command ended.
type result struct {
	status         int
	stdout, stderr string
}

// plexusCommand is the command, to be run in time.
func plexusCommand(t testing.TB, registryURL string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "plexus", args...)
	cmd.Env = environment(t, registryURL)
	return cmd
}

// plexus runs the command.
func plexus(t testing.TB, registryURL string, args ...string) result {
	t.Helper()
	return ended(t, plexusCommand(t, registryURL, args...))
}

// ended runs a command to its end.
func ended(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
