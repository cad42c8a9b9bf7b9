// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/plexus-go/plexus/internal/helptext"
)

// checkWidth complains of lines that an old terminal would break.
func checkWidth(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if n := utf8.RuneCountInString(line); n > helptext.Width {
			t.Errorf("%s: %d characters: %s", what, n, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("%s: space at the end of %q", what, line)
		}
	}
}

// TestHelpThatCannotBeWritten has a full disk as standard output.
func TestHelpThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range []string{"--help", "help", "help watch", "watch --help"} {
		cmd := exec.Command("plexus", strings.Fields(args)...)
		cmd.Env = environment(t, "ws://127.0.0.1:1")
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("plexus %s: exit status %d, %s", args, cmd.ProcessState.ExitCode(), &stderr)
		}
	}
}

func helpOf(cmd *cobra.Command) string {
	var text helptext.Text
	writeHelp(&text, cmd)
	return text.String()
}

// TestHelpWidth reads every help text that there is.
func TestHelpWidth(t *testing.T) {
	t.Parallel()
	root := testCommand().root()
	checkWidth(t, "plexus", helpOf(root))
	for _, cmd := range root.Commands() {
		checkWidth(t, cmd.Name(), helpOf(cmd))
		if r := plexus(t, "ws://127.0.0.1:1", "help", cmd.Name()); r.status != 0 || r.stdout != helpOf(cmd) {
			t.Errorf("plexus help %s: %+v", cmd.Name(), r)
		}
	}
	main := serveMain(t, "main-hub", nil).URL
	recorded := recordedHub(t)
	seen := 0
	for url, hub := range map[string]string{main: "main-hub", recorded.url: "registry-hub"} {
		var walk func(path []string)
		walk = func(path []string) {
			r := plexus(t, url, append(path, "--help")...)
			if r.status != 0 || r.stdout == "" {
				t.Errorf("plexus %s --help: %+v", path, r)
			}
			seen++
			checkWidth(t, strings.Join(path, " "), r.stdout)
			printed := plexus(t, url, append(path, "--schema")...)
			below, err := readSchema([]byte(printed.stdout))
			if err != nil {
				return // a method
			}
			for _, name := range below.names() {
				walk(append(slices.Clip(path), name))
			}
		}
		walk([]string{hub})
	}
	if seen < 30 {
		t.Errorf("only %d helps were read", seen)
	}
}

// TestChildrenOnce: a method that stands for a child is shown where the children
// are, and nowhere else.
func TestChildrenOnce(t *testing.T) {
	read, err := readSchema([]byte(`{"namespace":"earth",
		"children":[{"namespace":"luna","description":"The moon"},{"namespace":"iss","description":""}],
		"methods":[
			{"name":"luna","description":"Go there","role":{"kind":"static_child"}},
			{"name":"iss","description":"A station","role":{"kind":"static_child"}},
			{"name":"hidden","description":"Not listed","role":{"kind":"static_child"}},
			{"name":"rock","description":"A rock","role":{"kind":"dynamic_child","list_method":"list_children"}},
			{"name":"dust","role":{"kind":"dynamic_child"}},
			{"name":"info","description":"Tell","role":{"kind":"rpc"}},
			{"name":"list_children","description":"List"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(helpOfTarget(&target{hub: &hub{name: "mute"}, words: []string{"earth"}, schema: read, unknown: -1}), "\n\n")
	const want = `Children:
  luna    The moon
  iss     A station
  hidden  Not listed
  rock    A rock (finds children at run time; see list_children)
  dust    (finds children at run time)

Methods:
  info           Tell
  list_children  List

plexus mute earth CHILD|METHOD --help shows more.
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func helpOfTarget(at *target) string {
	c := testCommand()
	cmd, _ := c.add(c.root(), at)
	return at.help(cmd)
}

// TestHelpOfOtherHubs: whatever a hub says of itself, its help is readable.
func TestHelpOfOtherHubs(t *testing.T) {
	long := strings.Repeat("long", 50)
	read, err := readSchema([]byte(`{"namespace":"n","description":"One paragraph\r\nof two lines\n\n\u001b[2Jtwo","version":"` + long + `",
		"children":[{"namespace":"` + long + `","description":"d"},{"namespace":"c","description":""}],
		"methods":[{"name":"m","description":"` + long + ` ` + long + `","streaming":true,"bidirectional":true,
			"deprecation":{"since":"1","removed_in":"2","message":"use n"},
			"params":{"required":["` + long + `"],"properties":{
				"` + long + `":{"type":"string","description":"` + long + `"},
				"e":{"enum":["` + long + `","` + long + `"],"default":"` + long + `"}}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	at := &target{hub: &hub{name: "mute"}, schema: read, unknown: -1}
	text := printable(helpOfTarget(at))
	checkWidth(t, "activation", text)
	at.words, at.method = []string{"m"}, read.method("m")
	text += printable(helpOfTarget(at))
	checkWidth(t, "method", text)
	for _, want := range []string{"One paragraph of two lines\n\n", `\u001b[2Jtwo`, "Deprecated: use n", "It streams", "It may ask", "Default:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the help has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("the help reaches the terminal as it came: %q", text)
	}
}
