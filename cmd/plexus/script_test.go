// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts in testdata/script, which say what the command
// line does. Each of them has hubs of its own, whose addresses are variables:
//
//	MAIN      a registry hub of ours with echo and cone, named main-hub;
//	          it is PLEXUS_REGISTRY_URL as well
//	ALONE     a hub of ours without a registry, named lonely-hub
//	RECORDED  what a reference hub has answered
//	SOLAR, ODD, SILENT, MUTE, CURIOUS, BUSY   see fakes_test.go
//
// All of the fakes, and hub2, which is one of ours, are in the registry of
// main-hub; so is "dead", which does not run, and "other", under whose address
// hub2 answers.
//
// Besides what testscript knows there is "status N command…", which runs a
// command and checks its exit status, and the condition [no:TOOL], for a tool
// that is missing here; in CI it must not be.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return startHubs(env.T().(testing.TB), env) },
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"status": checkStatus},
		Condition:           checkTool,
	})
}

func startHubs(t testing.TB, env *testscript.Env) error {
	others := map[string]string{"dead": "ws://127.0.0.1:1"}
	for name, fake := range map[string]*fakeHub{
		"SOLAR": solarHub(t), "ODD": oddHub(t), "SILENT": silentHub(t), "MUTE": muteHub(t),
		"CURIOUS": curiousHub(t), "BUSY": busyHub(t), "RECORDED": recordedHub(t),
	} {
		env.Setenv(name, fake.url)
		if fake.name != "" {
			others[fake.name] = fake.url
		}
	}
	alone, second := serveHub(t, "lonely-hub"), serveHub(t, "hub2")
	others["hub2"], others["other"] = second.URL, second.URL
	first := serveMain(t, "main-hub", others)
	env.Vars = append(env.Vars, quickExit)
	env.Setenv("MAIN", first.URL)
	env.Setenv("MAINPORT", first.Port())
	env.Setenv("ALONE", alone.URL)
	env.Setenv("HUB2", second.URL)
	env.Setenv("PLEXUS_REGISTRY_URL", first.URL)
	return nil
}

// checkTool is the condition no:TOOL.
func checkTool(condition string) (bool, error) {
	tool, ok := strings.CutPrefix(condition, "no:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", condition)
	}
	_, err := exec.LookPath(tool)
	if err != nil && os.Getenv("CI") != "" {
		return false, fmt.Errorf("CI has to install %s: %w", tool, err)
	}
	return err != nil, nil
}

// checkStatus is the command status.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: status N command…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
