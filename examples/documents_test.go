// SPDX-License-Identifier: AGPL-3.0-only

package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// documents returns the text of each document for users, by its name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	texts := map[string]string{}
	for _, name := range append(names, "../README.md", "../CONTRIBUTING.md", "../SECURITY.md") {
		texts[name] = read(t, name)
	}
	return texts
}

// shown is a command of a document, and the lines that it prints there.
type shown struct {
	line   string
	output []string
}

// console returns the commands in the console blocks of a document.
func console(text string) (all []shown) {
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSuffix(line, "\n")
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				command, _, _ = strings.Cut(command, "  #")
				all = append(all, shown{line: strings.TrimSpace(command)})
			} else if len(all) > 0 {
				all[len(all)-1].output = append(all[len(all)-1].output, line)
			}
		}
	}
	return all
}

// TestShownCommands runs the commands of plexus and plexus-registry that the
// documents show, with a registry, the counter and the hub of the examples. (What
// the guide shows of go, TestGuide runs.)
func TestShownCommands(t *testing.T) {
	folder := t.TempDir()
	hub, counter := run(t, "hub"), run(t, "counter")
	registry := run(t, "plexus-registry", "--port=0", "--config", filepath.Join(folder, "backends.toml"), "--health-interval=1s",
		"--auto-register", hub, "--auto-register", counter)
	t.Setenv("PLEXUS_REGISTRY_URL", registry)
	t.Setenv("PATH", binaries+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("XDG_CONFIG_HOME", folder)
	testkit.Eventually(t, "both hubs are found", func() bool {
		found, _ := content(t, registry, "registry_list", "{}")["backends"].([]any)
		return len(found) == 2
	})
	for document, text := range documents(t) {
		for _, command := range console(text) {
			for _, program := range regexp.MustCompile(`\./(cmd|examples)/[a-z-]+`).FindAllString(command.line, -1) {
				if _, err := os.Stat(filepath.Join("..", program)); err != nil {
					t.Errorf("%s shows %s: %v", document, command.line, err)
				}
			}
			line := strings.TrimPrefix(command.line, "go run ./cmd/")
			if m := regexp.MustCompile(`plexus completion [a-z]+`).FindString(line); m != "" {
				line = m
			}
			switch program, _, _ := strings.Cut(line, " "); {
			case strings.Contains(line, "example.com"), program == "plexus-registry" && !strings.Contains(line, " token "):
				// It would call another machine, or serve: its flags are looked up below.
			case program == "plexus", program == "plexus-registry", strings.Contains(line, "| plexus "):
				command.line = strings.NewReplacer("ws://127.0.0.1:4445", registry, "--duration 5s", "--duration 50ms").Replace(line)
				command.check(t, document)
			}
		}
	}
}

// check runs the command. It must succeed or fail as it is shown; what it prints
// for programs and as errors must be what is shown, but for numbers.
func (s shown) check(t *testing.T, document string) {
	t.Helper()
	if strings.HasSuffix(s.line, " watch") {
		lastLine(t, exec.Command("sh", "-c", "exec "+s.line), true)
		return
	}
	out, err := exec.Command("sh", "-c", s.line).CombinedOutput()
	number := regexp.MustCompile(`\d+(\.\d+)?`)
	got, fails := number.ReplaceAllString(string(out), "0"), false
	for _, want := range s.output {
		failure := strings.HasPrefix(want, "plexus: ")
		fails = fails || failure && !strings.Contains(s.line, "echo $?")
		want, _, _ = strings.Cut(number.ReplaceAllString(want, "0"), "…")
		if (failure || strings.HasPrefix(want, "{")) && !strings.Contains(got, want) {
			t.Errorf("%s shows that %s prints %s, it prints %s", document, s.line, want, out)
		}
	}
	if (err != nil) != fails {
		t.Errorf("%s: %s: %v\n%s", document, s.line, err, out)
	}
}

// TestNamedTargetsAndFlagsExist looks up what the documents name in the Makefile
// and in the help of the programs.
func TestNamedTargetsAndFlagsExist(t *testing.T) {
	makefile := read(t, "../Makefile")
	help := ""
	for _, command := range []string{"plexus", "plexus bench", "plexus-registry", "plexus-registry token new"} {
		words := strings.Fields(command + " --help")
		out, err := exec.Command(filepath.Join(binaries, words[0]), words[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		help += string(out)
	}
	for document, text := range documents(t) {
		code := ""
		for _, command := range console(text) {
			code += "`" + command.line + "`"
		}
		for _, m := range regexp.MustCompile("`make ([a-z-]+)").FindAllStringSubmatch(text+code, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which there is not", document, m[1])
			}
		}
		for _, m := range regexp.MustCompile("`[^`\n]*`").FindAllString(text+code, -1) {
			if strings.Contains(m, "-hub ") || strings.HasPrefix(m, "`go ") {
				continue // flags are the parameters of a method
			}
			for _, flag := range regexp.MustCompile(`[ \x60](--[a-z][a-z-]+)`).FindAllStringSubmatch(m, -1) {
				if !regexp.MustCompile(flag[1] + `\b`).MatchString(help + " --active-only --wait") { // parameters, too
					t.Errorf("%s names the flag %s, which there is not", document, flag[1])
				}
			}
		}
	}
}
