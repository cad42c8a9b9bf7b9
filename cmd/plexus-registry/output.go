// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"cmp"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/plexus-go/plexus/internal/logqueue"
)

// output keeps the first error of writing to it.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	o.err = cmp.Or(o.err, err)
	return n, err
}

const (
	// maxLogBytes is how much of the log may wait for its reader.
	maxLogBytes = 1 << 20
	// flush is how long the program waits for that at its end.
	flush = time.Second
)

// errorOutput is standard error. Nobody waits for who reads it.
type errorOutput struct {
	*logqueue.Queue
	terminal bool
	level    slog.LevelVar
}

func newErrorOutput(w *os.File) *errorOutput {
	o := &errorOutput{terminal: term.IsTerminal(int(w.Fd()))}
	o.Queue = logqueue.New(w, maxLogBytes, func(dropped int64) []byte {
		var line bytes.Buffer
		o.logger(&line).Warn("lines of the log were dropped: they could not be written", "lines", dropped)
		return line.Bytes()
	})
	return o
}

// logger returns a logger that writes what is at least of the level.
func (o *errorOutput) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: &o.level}
	if o.terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
