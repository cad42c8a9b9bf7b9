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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

// finding is how one step of an examination went.
type finding struct {
	step   string
	took   time.Duration
	detail string
	failed bool
}

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
	examined, cancel := c.hubs.bounded(ctx)
	defer cancel()
	var steps stepTimes
	found, err := c.hubs.dial(httptrace.WithClientTrace(examined, steps.trace()), words[0], true)
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return err
	}
	findings := steps.findings(u)
	if err == nil {
		findings = append(findings, finding{step: "_info", took: steps.since(), detail: found.name})
		var root *schema
		took, failure := timed(func() (err error) { root, err = c.hubs.schemaAt(ctx, found, nil); return err })
		if failure == nil {
			findings = append(findings, finding{step: "schema", took: took, detail: fmt.Sprintf("methods: %d, children: %d", len(root.methods), len(root.children))})
		} else {
			findings = append(findings, finding{step: "schema", took: took, detail: explain(failure), failed: true})
			err = failure
		}
	} else {
		findings = append(findings, failedStep(err, steps.since()))
	}
	if printed := c.printFindings(findings); printed != nil {
		return printed
	}
	if err == nil {
		return nil
	}
	c.printer.failure(fmt.Errorf("%s: %s", words[0], advice(err, u, len(c.options.credentials(c.hubs.getenv)) > 0)))
	return errReported
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
	if place == "" || strings.ContainsAny(place, " ?#@") || strings.HasPrefix(place, "/") {
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
		fmt.Sprintf("For a hub on that host: plexus doctor %s%s.", scheme, net.JoinHostPort(strings.Trim(place, "[]"), strconv.Itoa(hubPort))),
		"For a backend of that name: plexus alone lists the addresses of all.",
	}
}

func (c *command) printFindings(findings []finding) error {
	for _, f := range findings {
		if c.printer.mode() != modePretty {
			err := c.printer.json(newObject("step", f.step, "ok", !f.failed, "ms", float64(f.took.Microseconds())/1000, "detail", f.detail))
			if err != nil {
				return err
			}
			continue
		}
		outcome := "ok    "
		if f.failed {
			outcome = "FAILED"
		}
		text := fmt.Sprintf("%s %s %9s ms  %s\n", pad(f.step, 8), outcome, milliseconds(f.took), oneLine(f.detail))
		if err := c.printer.text(text); err != nil {
			return err
		}
	}
	return nil
}

// stepTimes notes when each step of a connection was done. The hooks are all
// called by the goroutine that dials.
type stepTimes struct {
	done  []finding
	began time.Time
}

func (s *stepTimes) since() time.Duration { return time.Since(s.began) }

// end notes that a step is done.
func (s *stepTimes) end(step, detail string) {
	s.done = append(s.done, finding{step: step, took: s.since(), detail: detail})
	s.began = time.Now()
}

func (s *stepTimes) trace() *httptrace.ClientTrace {
	s.began = time.Now()
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err != nil {
				return
			}
			var addresses []string
			for _, a := range info.Addrs {
				addresses = append(addresses, a.String())
			}
			s.end("name", strings.Join(addresses, ", "))
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				s.end("tls", tls.VersionName(state.Version)+certificate(state))
			}
		},
		GotFirstResponseByte: func() { s.end("upgrade", "HTTP answered") },
		GotConn:              func(info httptrace.GotConnInfo) { s.end("tcp", info.Conn.RemoteAddr().String()) },
	}
}

// findings are the steps that went well.
func (s *stepTimes) findings(u *url.URL) []finding {
	if net.ParseIP(u.Hostname()) == nil || len(s.done) > 0 && s.done[0].step == "name" {
		return s.done
	}
	return append([]finding{{step: "name", detail: "an address already"}}, s.done...)
}

// certificate says until when the hub's certificate is valid.
func certificate(state tls.ConnectionState) string {
	if len(state.PeerCertificates) == 0 {
		return ""
	}
	return ", certificate until " + state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
}

// failedStep is the step that did not go well.
func failedStep(err error, took time.Duration) finding {
	f := finding{step: "tcp", took: took, detail: err.Error(), failed: true}
	var dial *client.DialError
	if !errors.As(err, &dial) {
		return f
	}
	f.detail = dial.Err.Error()
	var name *net.DNSError
	switch dial.Step {
	case client.StepConnect:
		if errors.As(err, &name) {
			f.step = "name"
		}
	default:
		f.step = string(dial.Step)
	}
	return f
}

// advice says what to do about an error. known: credentials were sent.
func advice(err error, u *url.URL, known bool) string {
	var dial *client.DialError
	if !errors.As(err, &dial) {
		return "it answers, but not with its schema: it may be older, or need a --token"
	}
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	timeout := errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.As(err, &name):
		return "the name is not known here: check its spelling, the network, and the resolver"
	case dial.Step == client.StepConnect && errors.Is(err, syscall.ECONNREFUSED):
		return "the host is there, but nothing listens at the port: start the hub, or look for its port; one that listens on 127.0.0.1 is only reached from its own machine"
	case dial.Step == client.StepConnect && timeout:
		return "timed out: nothing answers; a firewall may be in between, or the host is off"
	case dial.Step == client.StepConnect:
		return "the host can't be reached: check the network"
	case timeout && dial.Step != client.StepInfo:
		return "timed out: something listens, but does not answer: it is not a hub, or it hangs, or a proxy in between waits for a server that is off; check the port"
	case errors.As(err, &authority):
		return "the certificate is signed by no authority that this system trusts: give its authority by --ca, or add it to the system's"
	case errors.As(err, &host):
		return "the certificate is for another name: use the name that it is for"
	case errors.As(err, &invalid):
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
