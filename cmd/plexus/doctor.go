// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

// doctor goes to a hub step by step and says at which of them it fails, and
// what can be done about that.
func (c *command) doctor(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return usagef("doctor takes one address").withHint("plexus doctor ws://HOST:PORT")
	}
	u, err := parseAddress(words[0])
	if err != nil {
		return err
	}
	bounded, cancel := c.hubs.bounded(ctx)
	defer cancel()
	e := &examination{began: time.Now()}
	found, err := c.hubs.dial(httptrace.WithClientTrace(bounded, e.trace()), words[0], true)
	if is[*usageError](err) {
		return err
	}
	if net.ParseIP(u.Hostname()) != nil && (len(e.steps) == 0 || e.steps[0].name != "name") {
		e.steps = slices.Insert(e.steps, 0, finding{name: "name", detail: "an address already"})
	}
	if err != nil {
		e.fail(failedStep(err))
	} else {
		e.end("_info", found.name)
		var root *schema
		if root, err = c.hubs.schemaAt(ctx, found, nil); err != nil {
			e.fail("schema", explain(err))
		} else {
			e.end("schema", fmt.Sprintf("methods: %d, children: %d", len(root.methods), len(root.children)))
		}
	}
	for _, f := range e.steps {
		if err := c.printFinding(f); err != nil {
			return err
		}
	}
	if err == nil {
		return nil
	}
	c.printer.failure(fmt.Errorf("%s: %s", words[0], advice(err, u, len(c.options.credentials(c.hubs.getenv)) > 0)))
	return errReported
}

// examination notes how the steps to a hub went.
type examination struct {
	steps []finding
	began time.Time // of the step that comes next
}

type finding struct {
	name, detail string
	took         time.Duration
	failed       bool
}

func (e *examination) end(name, detail string) {
	now := time.Now()
	e.steps = append(e.steps, finding{name: name, detail: detail, took: now.Sub(e.began)})
	e.began = now
}

func (e *examination) fail(name, detail string) {
	e.end(name, detail)
	e.steps[len(e.steps)-1].failed = true
}

// trace notes the steps of a connection. The hooks are all called by the
// goroutine that dials.
func (e *examination) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			var addresses []string
			for _, a := range info.Addrs {
				addresses = append(addresses, a.String())
			}
			if info.Err == nil {
				e.end("name", strings.Join(addresses, ", "))
			}
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				e.end("tls", tls.VersionName(state.Version)+certificate(state))
			}
		},
		GotFirstResponseByte: func() { e.end("upgrade", "HTTP answered") },
		GotConn:              func(info httptrace.GotConnInfo) { e.end("tcp", info.Conn.RemoteAddr().String()) },
	}
}

func (c *command) printFinding(f finding) error {
	if c.printer.mode() != modePretty {
		return c.printer.json(newObject("step", f.name, "ok", !f.failed, "ms", float64(f.took.Microseconds())/1000, "detail", f.detail))
	}
	outcome := "ok"
	if f.failed {
		outcome = "FAILED"
	}
	return c.printer.text(fmt.Sprintf("%-8s %-6s %9s ms  %s\n", f.name, outcome, milliseconds(f.took), oneLine(f.detail)))
}

// parseAddress reads the address of a hub.
func parseAddress(word string) (*url.URL, error) {
	u, err := url.Parse(word)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" {
		return nil, usagef("%s is not ws://HOST:PORT or wss://HOST:PORT", quoted(word)).withHint(addressMeant(word)...)
	}
	return u, nil
}

// addressMeant says which address could be meant by what is none.
func addressMeant(word string) []string {
	_, place, schemed := strings.Cut(word, "://")
	if !schemed {
		place = word
	}
	if !isPlain(strings.NewReplacer("[", "", "]", "").Replace(place)) || strings.Contains(place, "@") || strings.HasPrefix(place, "/") {
		return nil
	}
	scheme := "ws://"
	if strings.HasPrefix(word, "https:") {
		scheme = "wss://"
	}
	if u, err := url.Parse(scheme + place); err == nil && (u.Port() != "" || schemed) {
		return []string{"Did you mean " + scheme + place + "?"}
	}
	return []string{
		fmt.Sprintf("For a hub on that host: plexus doctor %s%s.", scheme, net.JoinHostPort(strings.Trim(place, "[]"), hubPort)),
		"For a backend of that name: plexus alone lists the addresses of all.",
	}
}

// certificate says until when the hub's certificate is valid.
func certificate(state tls.ConnectionState) string {
	if len(state.PeerCertificates) == 0 {
		return ""
	}
	return ", certificate until " + state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
}

// failedStep is the step that did not go well, and why.
func failedStep(err error) (name, detail string) {
	dial, ok := errors.AsType[*client.DialError](err)
	if !ok {
		return "tcp", err.Error()
	}
	name = string(dial.Step)
	if dial.Step == client.StepConnect {
		name = "tcp"
		if is[*net.DNSError](err) {
			name = "name"
		}
	}
	return name, dial.Err.Error()
}

// advice says what to do about an error. known: credentials were sent.
func advice(err error, u *url.URL, known bool) string {
	dial, ok := errors.AsType[*client.DialError](err)
	if !ok {
		return "it answers, but not with its schema: it may be older, or need a --token"
	}
	timeout := errors.Is(err, context.DeadlineExceeded)
	switch {
	case is[*net.DNSError](err):
		return "the name is not known here: check its spelling, the network, and the resolver"
	case dial.Step == client.StepConnect && errors.Is(err, syscall.ECONNREFUSED):
		return "the host is there, but nothing listens at the port: start the hub, or look for its port; one that listens on 127.0.0.1 is only reached from its own machine"
	case dial.Step == client.StepConnect && timeout:
		return "timed out: nothing answers; a firewall may be in between, or the host is off"
	case dial.Step == client.StepConnect:
		return "the host can't be reached: check the network"
	case timeout && dial.Step != client.StepInfo:
		return "timed out: something listens, but does not answer: it is not a hub, or it hangs, or a proxy in between waits for a server that is off; check the port"
	case is[x509.UnknownAuthorityError](err):
		return "the certificate is signed by no authority that this system trusts: give its authority by --ca, or add it to the system's"
	case is[x509.HostnameError](err):
		return "the certificate is for another name: use the name that it is for"
	case is[x509.CertificateInvalidError](err):
		return "the certificate is not valid: renew it, and check the clocks"
	case strings.Contains(err.Error(), "remote error: tls:") && strings.Contains(err.Error(), "certificate"):
		return "the hub requires a client certificate: give one that it knows with --cert and --key"
	case strings.Contains(err.Error(), "remote error: tls:"):
		return "the TLS handshake failed: the hub may have no certificate for this name; use the name that it has one for"
	case dial.Step == client.StepTLS:
		return "what listens does not speak TLS as it should: try ws:// in place of wss://"
	case dial.Status == http.StatusUnauthorized && known:
		return "the hub does not accept our credentials: they are wrong, have expired, or are given twice; its log says which"
	case dial.Status == http.StatusUnauthorized || dial.Status == http.StatusForbidden:
		return "the hub refuses the connection: give --token, --cookie or --header, or ask who runs it"
	case dial.Status == http.StatusBadRequest && u.Scheme == "ws":
		return "an HTTP server answers 400, but it is not a hub: try wss://, or check the port"
	case dial.Status != 0:
		return fmt.Sprintf("an HTTP server answers %d, but it is not a hub: check port and path, and what a proxy in between does to WebSockets", dial.Status)
	case dial.Step == client.StepUpgrade && u.Scheme == "ws":
		return "what listens does not speak WebSocket: check the port, or try wss://"
	case dial.Step == client.StepUpgrade:
		return "what listens does not speak WebSocket: check the port"
	case timeout:
		return "timed out: it speaks WebSocket, but does not answer _info: it is not a Plexus hub, or it hangs"
	}
	return "it speaks WebSocket, but not as a Plexus hub does: check port and path"
}
