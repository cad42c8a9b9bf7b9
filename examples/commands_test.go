// SPDX-License-Identifier: AGPL-3.0-only

package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commands are the lines of an example's comment that call it.
func commands(t *testing.T, name string) (lines []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^//\tgo run ./cmd/plexus -P 4444 (.*)$`).FindAllStringSubmatch(read(t, name+"/main.go"), -1) {
		lines = append(lines, m[1])
	}
	return lines
}

// TestCommands runs each example, and each command that its comment shows.
func TestCommands(t *testing.T) {
	t.Parallel()
	plexus := filepath.Join(binaries, "plexus")
	for name, want := range map[string][]string{ // what each command prints, or its last line
		"echo":    {`{"text":"HELLO","number":1}`, `{"text":"hello","number":2}`},
		"solar":   {`{"name":"Luna","radius_km":1737,"orbit":27.3}`, `"halley"`, `{"name":"Halley","radius_km":5.5,"orbit":27500}`},
		"wizard":  {`{"type":"abandoned","step":"name"}`, `{"type":"created","name":"shop","template":"web"}`},
		"counter": {`{"value":0}`, `{"value":3}`},
		"handles": {`"text":"`, `{"page":"* Call mother"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, err := url.Parse(run(t, name))
			if err != nil {
				t.Fatal(err)
			}
			shown := commands(t, name)
			if len(shown) != len(want) {
				t.Fatalf("%d commands are shown, and %d are tested", len(shown), len(want))
			}
			before := ""
			for i, line := range shown {
				if strings.Contains(line, "…") {
					var answer struct{ Handle json.RawMessage }
					if err := json.Unmarshal([]byte(before), &answer); err != nil {
						t.Fatal(err)
					}
					line = strings.ReplaceAll(line, "…", string(answer.Handle))
				}
				cmd := exec.Command("sh", "-c", `exec "$0" --host 127.0.0.1 -P "$1" `+line, plexus, at.Port())
				before = lastLine(t, cmd, strings.HasSuffix(line, "watch"))
				if !strings.Contains(before, want[i]) {
					t.Errorf("plexus %s prints %s, want %s", line, before, want[i])
				}
			}
		})
	}
}

// lastLine runs a command and returns the last line that it prints; of one that
// goes on for ever, it is the first, and then the command is interrupted.
func lastLine(t *testing.T, cmd *exec.Cmd, endless bool) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if !endless {
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%q: %v\n%s", cmd.Args, err, &stderr)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return lines[len(lines)-1]
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	cmd.Process.Signal(os.Interrupt)
	if cmd.Wait(); err != nil || cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("%q: %v, %v\n%s", cmd.Args, err, cmd.ProcessState, &stderr)
	}
	return line
}
