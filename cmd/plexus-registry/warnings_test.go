// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
)

// TestWarnings brings one file after the other into a state that needs somebody,
// and looks for it in the status and, once, in the log.
func TestWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	authority := testkit.NewAuthority(t, "authority")
	authority.From, authority.Until = time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)
	cert, key := authority.Pair("good")
	writeFile(t, file("cert.pem"), string(cert))
	writeFile(t, file("key.pem"), string(key))
	secret := newToken(t, file("tokens.toml"), "admin", "--scope=*")
	tokens := readText(t, file("tokens.toml"))
	writeFile(t, file("probe"), secret)
	writeFile(t, file("host.toml"), entryText("a", 1))
	writeFile(t, file("backends.toml"), "")
	mounted := exec.Command("mount", "--bind", file("host.toml"), file("backends.toml")).Run() == nil
	if mounted {
		t.Cleanup(func() { exec.Command("umount", "-l", file("backends.toml")).Run() })
	}
	cmd := command(dir, "--tls-cert", file("cert.pem"), "--tls-key", file("key.pem"), "--tokens", file("tokens.toml"), "--config", file("backends.toml"),
		"--probe-token-file", file("probe"))
	p := start(t, cmd)
	dialer := &websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}
	conn, _, err := testkit.DialWith(t, dialer, p.url, bearer(secret).header)
	if err != nil {
		t.Fatal(err)
	}
	// wants waits until the status warns of these things, and nothing else.
	wants := func(parts ...string) {
		t.Helper()
		testkit.Eventually(t, fmt.Sprintf("warnings of %q", parts), func() bool {
			status := conn.Call("registry-hub", "registry.status", "{}")[0].Object()
			all, _ := status["warnings"].([]any)
			text := fmt.Sprint(all)
			for _, part := range parts {
				if !strings.Contains(text, part) {
					return false
				}
			}
			return len(all) == len(parts)
		})
	}
	// logged waits until the log warned of these things, once of each.
	logged := func(parts ...string) {
		t.Helper()
		for _, part := range parts {
			testkit.Eventually(t, "the log has "+part, func() bool {
				n := 0
				for line := range strings.Lines(p.stderr.String()) {
					if strings.Contains(line, "registry.status warns") && strings.Contains(line, part) {
						n++
					}
				}
				return n == 1
			})
		}
	}
	wants()
	authority.Until = time.Now().Add(3 * 24 * time.Hour)
	cert, key = authority.Pair("ending")
	writeFile(t, file("cert.pem"), string(cert))
	writeFile(t, file("key.pem"), string(key))
	wants("expires at")
	if err := os.Rename(file("tokens.toml"), file("away")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file("tokens.toml"), "[[token]\n")
	wants("expires at", "tokens.toml:1: ")
	if err := os.Remove(file("key.pem")); err != nil {
		t.Fatal(err)
	}
	wants("expires at", "tokens.toml:1: ", "key.pem: cannot be read: no such file")
	logged("expires at", "tokens.toml:1: ", "key.pem: cannot be read: no such file")
	writeFile(t, file("key.pem"), string(key))
	writeFile(t, file("tokens.toml"), tokens)
	wants("expires at")
	if err := os.Remove(file("probe")); err != nil {
		t.Fatal(err)
	}
	wants("expires at", "the former token of health checks stays in use")
	logged("the former token of health checks stays in use")
	writeFile(t, file("probe"), secret)
	if !mounted {
		t.Skip("no mounts here")
	}
	writeFile(t, file("next"), entryText("b", 2))
	if err := os.Rename(file("next"), file("host.toml")); err != nil {
		t.Fatal(err)
	}
	wants("expires at", "backends.toml: was replaced outside of the mount")
	logged("expires at", "backends.toml: was replaced outside of the mount")
}
