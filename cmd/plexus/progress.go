// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/plexus-go/plexus/transport/client"
)

// progress tells how far a method has come: as a bar on a terminal; elsewhere
// as lines, where they are wanted.
type progress struct {
	err      io.Writer
	terminal bool
	verbose  func() bool
	last     string // the line that stands on the terminal
}

const (
	barWidth = 30
	// mostBeside bounds the message beside the bar: a line that wraps can't
	// be taken back.
	mostBeside = 38
)

func (p *progress) show(i *client.Item) {
	message := oneLine(i.Message)
	percent := -1.0
	if i.Percentage != nil && !math.IsNaN(*i.Percentage) {
		percent = min(max(*i.Percentage, 0), 100)
	}
	if !p.terminal {
		switch {
		case !p.verbose():
		case percent < 0:
			fmt.Fprintf(p.err, "plexus: %s\n", message)
		default:
			fmt.Fprintf(p.err, "plexus: %3.0f%% %s\n", percent, message)
		}
		return
	}
	if runes := []rune(message); len(runes) > mostBeside {
		message = string(runes[:mostBeside-1]) + "…"
	}
	line := "… " + message
	if percent >= 0 {
		full := int(percent / 100 * barWidth)
		line = fmt.Sprintf("[%s%s] %3.0f%% %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), percent, message)
	}
	if line != p.last {
		p.clear()
		fmt.Fprint(p.err, line)
		p.last = line
	}
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.last != "" {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.last = ""
	}
}
