// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/storage"
	"github.com/plexus-go/plexus/transport/client"
)

const (
	// stepTimeout is how long a hub may take to accept a connection, and to
	// answer what must be known before a call.
	stepTimeout = 5 * time.Second
	// doneTimeout is how long the end of a stream is waited for once its only
	// item is there: some hubs forget it.
	doneTimeout = 250 * time.Millisecond
)

// What is queued for a reader that is slower than the hub, a pager for example.
const (
	queueItems = 1 << 20
	queueBytes = 64 << 20
)

// maxMessageBytes bounds a message: a registry of many backends lists them in one.
const maxMessageBytes = 64 << 20

// hub is a connection to one.
type hub struct {
	*client.Client
	name string // its own
	url  string
	took time.Duration // to connect, and to learn its name
	// trusted is whether the credentials are for it.
	trusted bool

	called  string // how the command line names it, where a name was looked up
	command bool   // a command of plexus has that name
}

// as is the hub, looked up under that name.
func (h *hubs) as(at *hub, name string) *hub {
	at.called, at.command = name, slices.Contains(h.commands, name)
	return at
}

// hubs are the connections of one command.
type hubs struct {
	options  *options
	getenv   func(string) string
	answers  func(context.Context, client.Question) (any, error)
	note     func(format string, args ...any) // reports what --verbose is for
	settings []client.Option                  // of all connections, besides the usual ones
	// commands are the names of the commands of plexus, to propose.
	commands []string
	// noCommand: what is looked up is a backend, so that no command is proposed.
	noCommand bool

	mu   sync.Mutex
	open []*client.Client
}

// close closes all connections at once: each of them says goodbye.
func (h *hubs) close() {
	var all sync.WaitGroup
	for _, c := range h.open {
		all.Go(func() { c.Close() })
	}
	all.Wait()
}

// hangUp closes one connection.
func (h *hubs) hangUp(at *hub) {
	h.mu.Lock()
	h.open = slices.DeleteFunc(h.open, func(c *client.Client) bool { return c == at.Client })
	h.mu.Unlock()
	at.Close()
}

// bounded is how long a step before the call may take.
func (h *hubs) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	// A time that the user gave holds for everything, and is longer on purpose.
	return context.WithTimeout(ctx, cmp.Or(h.options.timeout, stepTimeout))
}

// dial connects to the hub at url and learns its name. It gets the credentials
// only if they are for it.
func (h *hubs) dial(ctx context.Context, url string, credentials bool) (*hub, error) {
	config, err := h.options.config(credentials)
	if err != nil {
		return nil, err
	}
	settings := append(slices.Clone(h.settings),
		client.WithTLS(config),
		client.WithoutReconnect(),
		client.WithDialTimeout(cmp.Or(h.options.timeout, stepTimeout)),
		client.WithMessageLimit(maxMessageBytes),
		client.WithQueue(queueItems, queueBytes, time.Hour),
		client.WithAnswers(h.answers),
	)
	if credentials {
		for name, values := range h.options.credentials(h.getenv) {
			for _, value := range values {
				settings = append(settings, client.WithHeader(name, value))
			}
		}
	}
	began := time.Now()
	c, err := client.Dial(ctx, url, settings...)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.open = append(h.open, c)
	h.mu.Unlock()
	if h.options.verbose {
		h.note("%s answers at %s", c.Hub(), url)
	}
	return &hub{Client: c, name: c.Hub(), url: url, took: time.Since(began), trusted: credentials}, nil
}

// registry connects to the hub with the registry, or to one that has none. The
// credentials are for the first address: whatever listens at the other gets none.
func (h *hubs) registry(ctx context.Context) (*hub, error) {
	urls, err := h.options.addresses(h.getenv)
	if err != nil {
		return nil, err
	}
	var failure error // that says most: not that of a port at which nothing listens
	for i, url := range urls {
		found, err := h.dial(ctx, url, i == 0)
		if i > 0 && !errors.Is(err, syscall.ECONNREFUSED) {
			without := ""
			if len(h.options.credentials(h.getenv)) > 0 || h.options.cert != "" {
				without = ", without credentials"
			}
			h.note("%s: %s is asked instead%s", explain(failure), url, without)
		}
		if err == nil {
			return found, nil
		}
		if failure == nil || !errors.Is(err, syscall.ECONNREFUSED) {
			failure = err
		}
		if is[*net.DNSError](err) || ctx.Err() != nil || turnedAway(err) {
			return nil, failure // the other port is of the same host, and no registry in place of this one
		}
	}
	if len(urls) > 1 && errors.Is(failure, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no hub was found: nothing listens at %s, nor at %s; say where it is with -H and -P, or --registry", urls[0], urls[1])
	}
	return nil, failure
}

// turnedAway reports whether what listens is there, but not for us.
func turnedAway(err error) bool {
	dial, ok := errors.AsType[*client.DialError](err)
	return ok && slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest,
		http.StatusTooManyRequests, http.StatusServiceUnavailable}, dial.Status)
}

// named connects to the hub of that name: the one that is asked first, or one
// that its registry knows.
func (h *hubs) named(ctx context.Context, name string) (*hub, error) {
	first, err := h.registry(ctx)
	if err != nil {
		return nil, err
	}
	return h.reach(ctx, first, name)
}

// reach connects to the hub of that name, where first is the one that is asked.
func (h *hubs) reach(ctx context.Context, first *hub, name string) (*hub, error) {
	if sameName(first.name, name) {
		return h.as(first, name), nil
	}
	entry, err := h.lookUp(ctx, first, name)
	if err != nil {
		return nil, err
	}
	// Anybody who may write to the registry can put an address of their own there,
	// to collect what is sent to it: it gets no credentials without --pass-on, and
	// never those that the registry did not get.
	found, err := h.dial(ctx, entry.url(), first.trusted && (h.options.passOn || entry.url() == first.url))
	switch {
	case err != nil && !entry.is("is_active"):
		return nil, fmt.Errorf("%s is inactive, says %s: %w", name, first.name, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case !sameName(found.name, name) && !sameName(found.name, entry.text("answers_as")):
		// An address that the registry says is not proposed for use by itself: what
		// is asked first gets the credentials.
		return nil, fmt.Errorf("at %s, where %s has %s, answers %s: it is not called, as it may be another's", entry.url(), first.name, name, found.name)
	}
	return h.as(found, name), nil
}

// sameName reports whether two names are one, however their characters are composed.
func sameName(a, b string) bool { return storage.NormalizeName(a) == storage.NormalizeName(b) }

// lookUp asks the registry of a hub for a backend.
func (h *hubs) lookUp(ctx context.Context, first *hub, name string) (*backend, error) {
	answer, err := h.ask(ctx, first, "registry.get", map[string]any{"name": name})
	switch {
	case notFound(err):
		return nil, usagef("%s, at %s, is not named %s, and has no registry to look it up in", first.name, first.url, name).
			withHint(didYouMean(name, []string{first.name}))
	case err != nil:
		return nil, err
	}
	if b := readBackend(answer.get("backend")); b != nil {
		return b, nil
	}
	names := []string{first.name}
	if !h.noCommand {
		names = append(names, h.commands...)
	}
	if all, err := h.backends(ctx, first, nil); err == nil {
		for _, b := range all {
			names = append(names, b.name())
		}
	}
	return nil, usagef("%s, at %s, knows no backend %s", first.name, first.url, quoted(name)).
		withHint(didYouMean(name, names), "plexus alone lists all of them.")
}

// ask is one for a method of a registry, whose answers are objects.
func (h *hubs) ask(ctx context.Context, c *hub, method string, params map[string]any) (*object, error) {
	content, err := h.one(ctx, c, method, params)
	if err != nil {
		return nil, err
	}
	if message := problem(content); message != "" {
		return nil, fmt.Errorf("%s: %s", method, message)
	}
	return parseObject(content), nil
}

// one calls a method that only reads, and returns its first content. The end of
// the stream is waited for no longer than doneTimeout.
func (h *hubs) one(ctx context.Context, c *hub, method string, params any) (json.RawMessage, error) {
	ctx, cancel := h.bounded(ctx)
	defer cancel()
	var found json.RawMessage
	for item, err := range c.Call(ctx, method, params, client.Idempotent()) {
		switch {
		case err == nil && item.Kind == plugin.KindData && found == nil:
			found = dataOf(&item)
			defer time.AfterFunc(doneTimeout, cancel).Stop()
		case err == nil, isRecoverable(err), found != nil:
		default:
			return nil, err
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s: %w", method, client.ErrNoData)
	}
	return found, nil
}

// notFound reports whether a hub has no such activation, or no such method.
func notFound(err error) bool {
	answered, ok := errors.AsType[*client.Error](err)
	return ok && answered.ErrorCode() == plugin.CodeMethodNotFound
}

// isRecoverable reports whether a stream goes on after an error.
func isRecoverable(err error) bool {
	answered, ok := errors.AsType[*client.Error](err)
	return ok && answered.Recoverable
}

// problem is the message of a content that says that something went wrong, as
// the registry's do; empty for any other.
func problem(content json.RawMessage) string {
	// Most contents are no error, and are not parsed for it.
	if !bytes.Contains(content, []byte(`"error"`)) {
		return ""
	}
	if o := parseObject(content); o.text("type") == "error" {
		return o.text("message")
	}
	return ""
}

// unsuccessful says that a content calls itself a failure, as a ping of a name that
// the registry does not know; empty for any other. It is printed all the same.
func unsuccessful(content json.RawMessage) string {
	if !bytes.Contains(content, []byte(`"success"`)) {
		return ""
	}
	if o := parseObject(content); o.get("success") == false {
		return cmp.Or(o.text("message"), "it answers with success: false")
	}
	return ""
}

// dataOf is the content of a data item.
func dataOf(i *plugin.Item) json.RawMessage {
	content, _ := i.Content.(json.RawMessage)
	return content
}
