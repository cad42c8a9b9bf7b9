// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/plexus-go/plexus/internal/testkit"
)

// publicName is what the certificate is for. autocert takes no name without a
// dot, and the authority asks the name server of the test for it.
const publicName = "registry.plexus.test"

// serveNames answers every question for an address with 127.0.0.1.
func serveNames(t *testing.T) (address string) {
	t.Helper()
	l := testkit.Listen(t)
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { answerName(conn) })
		}
	})
	return l.Addr().String()
}

// answerName answers one question: by TCP, each message begins with its length.
func answerName(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testkit.Patience))
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return
	}
	question := make([]byte, int(size[0])<<8|int(size[1]))
	if _, err := io.ReadFull(conn, question); err != nil {
		return
	}
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return
	}
	m.Header.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	if answer, err := m.Pack(); err == nil {
		conn.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...))
	}
}

// certificates is a certificate authority that checks names as a public one does.
type certificates struct {
	cmd       *exec.Cmd
	directory string // URL
	roots     string // URL of what signs the certificates
	listen    [2]string
}

// newCertificates chooses where the authority will be: the registry must know
// that, and the authority must know where the registry is.
func newCertificates(t *testing.T) *certificates {
	t.Helper()
	c := &certificates{}
	for i := range c.listen {
		l := testkit.Listen(t)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.listen[i] = "localhost:" + port
	}
	c.directory, c.roots = "https://"+c.listen[0]+"/dir", "https://"+c.listen[1]+"/roots/0"
	return c
}

// start runs the authority, which looks for the names at that port.
func (c *certificates) start(t *testing.T, pebble, folder, cert, key, port string) {
	t.Helper()
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(object{"pebble": object{
		"listenAddress": c.listen[0], "managementListenAddress": c.listen[1],
		"certificate": cert, "privateKey": key, "httpPort": 1, "tlsPort": number,
		"retryAfter": object{"authz": 1, "order": 1},
		"profiles":   object{"default": object{"description": "for an hour", "validityPeriod": 3600}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(folder, "pebble.json"), string(settings))
	var log testkit.Log
	c.cmd = exec.Command(pebble, "-config", filepath.Join(folder, "pebble.json"), "-dnsserver", serveNames(t))
	c.cmd.Env = []string{"PEBBLE_VA_NOSLEEP=1"} // it would wait for its own realism
	c.cmd.Stdout, c.cmd.Stderr = &log, &log
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Logf("the authority wrote\n%.10000s", log.String())
		}
	})
}

func (c *certificates) stop() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// TestCertificateByACME gets a certificate from a real authority, which looks
// whether the name leads to the registry, and serves a client with it; and again
// after a restart, when there is no authority.
func TestCertificateByACME(t *testing.T) {
	t.Parallel()
	pebble := testkit.Tool(t, "pebble") // make acme installs it
	folder, ca, public := t.TempDir(), testkit.NewAuthority(t, "authority"), newCertificates(t)
	cert, key := ca.Pair("localhost")
	file := func(name string, text []byte) (path string) {
		path = filepath.Join(folder, name)
		writeFile(t, path, string(text))
		return path
	}
	trusted := file("ca.pem", ca.PEM())
	registry := func(port string) *process {
		cmd := command(folder, "--port", port, "--acme-name", publicName, "--acme-directory", public.directory,
			"--acme-cache", filepath.Join(folder, "acme"), "--allowed-host", publicName)
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+trusted)
		return start(t, cmd)
	}
	p := registry("0")
	if p.url != "wss://"+publicName {
		t.Errorf("the address is %q", p.url)
	}
	var address string
	testkit.Eventually(t, "the registry serves", func() bool {
		for _, line := range p.log(t) {
			if line["msg"] == "serving" {
				address, _ = line["address"].(string)
			}
		}
		return address != ""
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	public.start(t, pebble, folder, file("cert.pem", cert), file("key.pem", key), port)

	// What signs the certificates is made anew when the authority starts.
	web := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, DisableKeepAlives: true}}
	roots := x509.NewCertPool()
	testkit.Eventually(t, "the authority answers", func() bool {
		answer, err := web.Get(public.roots)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return err == nil && roots.AppendCertsFromPEM(text)
	})
	dialer := &websocket.Dialer{
		NetDial:         func(network, _ string) (net.Conn, error) { return net.Dial(network, "127.0.0.1:"+port) },
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}
	get := func() (serial string) {
		t.Helper()
		// The first client may come too early: its handshake waits for the
		// authority, and not for long.
		var conn *testkit.Conn
		testkit.Eventually(t, "there is a certificate", func() (there bool) {
			var err error
			conn, _, err = testkit.DialWith(t, dialer, "wss://"+publicName+":"+port, nil)
			return err == nil
		})
		if got := code(conn, "registry.list", "{}"); got != "" {
			t.Errorf("registry.list: %s", got)
		}
		return conn.UnderlyingConn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := get()
	public.stop()
	p.stop(t)
	p = registry(port)
	if again := get(); again != first {
		t.Errorf("certificate %s after the restart, want that of the folder: %s", again, first)
	}
}
