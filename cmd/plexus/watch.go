// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/plexus-go/plexus/internal/connect"
	"github.com/plexus-go/plexus/internal/helptext"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/client"
)

// How a registry that is watched is missed, and how long to wait before each
// attempt to find it again.
const (
	watchPing    = time.Second
	watchDead    = 3 * time.Second
	watchMinWait = 250 * time.Millisecond
	watchMaxWait = 2 * time.Second
)

// watch prints what happens in the registry, until it is interrupted: a registry
// that is lost is waited for.
func (c *command) watch(ctx context.Context, words []string) error {
	if len(words) > 1 {
		return usagef("watch takes at most one name").withHint("plexus watch [NAME]")
	}
	c.hubs.settings = []client.Option{client.WithKeepAlive(watchPing, watchDead)}
	first, err := c.hubs.registry(ctx)
	if err != nil {
		return err
	}
	w := watcher{command: c, params: map[string]any{}}
	if len(words) == 1 {
		w.params["name"] = words[0]
	}
	url, trusted, at := first.url, first.trusted, first
	waits := connect.Settings{MinWait: watchMinWait, MaxWait: watchMaxWait}
	waits.Repeat(ctx, func() (connected, last bool) {
		if at == nil {
			if at, err = c.hubs.dial(ctx, url, trusted); err != nil {
				w.lost(ctx, err)
				return false, false
			}
			c.printer.note("%s is back", url)
			w.said = ""
		}
		err = w.session(ctx, at)
		if !w.began || w.unwritten != nil {
			return true, true
		}
		if err == nil || errors.Is(err, errReported) {
			err = errEnded
		}
		w.lost(ctx, err)
		c.hubs.hangUp(at)
		at = nil
		return true, false
	})
	if w.began && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return c.timedOut("registry.watch")
	}
	return cmp.Or(w.unwritten, err)
}

var (
	errEnded     = errors.New("the registry has ended the watch")
	errForgotten = errors.New("the registry does not keep the changes since then")
)

// watcher is a watch, over all its connections.
type watcher struct {
	*command
	params    map[string]any
	began     bool   // an event was seen
	unwritten error  // why the output can't be written
	said      string // why the registry is lost
}

// session watches through one connection, from the last event on if the registry
// says whose history its revisions are of: else from a list of all that is there.
func (w *watcher) session(ctx context.Context, at *hub) error {
	_, resuming := w.params["after"]
	err := w.call(ctx, at, "registry.watch", w.params, func(item *plugin.Item) error {
		content := dataOf(item)
		refused := content != nil && problem(content) != ""
		switch {
		case content == nil:
		case refused && resuming:
			return errForgotten
		case !refused:
			w.note(at, parseObject(content))
			resuming = false
		}
		if w.printer.mode() != modePretty {
			w.unwritten = w.printer.item(item)
		} else if content != nil && !refused {
			w.unwritten = w.printer.text(eventLines(content))
		}
		return w.unwritten
	})
	if !resuming || !is[*client.Error](err) && !errors.Is(err, errForgotten) {
		return err
	}
	w.forget()
	return w.session(ctx, at)
}

// note remembers where to resume after an event.
func (w *watcher) note(at *hub, event *object) {
	if w.began && event.get("backends") != nil {
		w.printer.note("all that is there at %s follows: changes may have been missed", at.url)
	}
	w.began = true
	w.forget()
	if revision, history := event.get("revision"), event.text("history"); revision != nil && history != "" {
		w.params["after"], w.params["history"] = revision, history
	}
}

func (w *watcher) forget() {
	delete(w.params, "after")
	delete(w.params, "history")
}

// lost reports why the registry is not watched, if that is news.
func (w *watcher) lost(ctx context.Context, err error) {
	if why := explain(err); ctx.Err() == nil && why != w.said {
		w.said = why
		w.printer.note("%s; it is tried again until Ctrl-C", why)
	}
}

// eventLines words an event of the registry, a line for each backend.
func eventLines(content []byte) string {
	event := parseObject(content)
	revision := ""
	if number, ok := event.get("revision").(json.Number); ok {
		revision = "  revision " + number.String()
	}
	kind := strings.TrimPrefix(event.text("type"), "backend_")
	head := func(kind, name string) string {
		return helptext.Pad(oneLine(kind), 13) + " " + helptext.Pad(oneLine(name), 19)
	}
	line := func(kind string, b *backend) string {
		return head(kind, b.name()) + "  " + oneLine(b.url()) + " " + oneLine(b.status()) + revision + "\n"
	}
	if event.get("backends") != nil {
		var text strings.Builder
		for _, entry := range event.list("backends") {
			if b := readBackend(entry); b != nil {
				text.WriteString(line("there is", b))
			}
		}
		return text.String()
	}
	if b := readBackend(event.get("backend")); b != nil {
		return line(kind, b)
	}
	why := ""
	if reason := event.text("inactive_reason"); reason != "" && reason != kind {
		why = " " + oneLine(reason)
	}
	return strings.TrimRight(head(kind, event.text("name"))+" "+why+revision, " ") + "\n"
}
