// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/plexus-go/plexus/internal/helptext"
	"github.com/plexus-go/plexus/plugin"
)

// barWidth is how wide the bar is where there is room.
const barWidth = 30

// progress shows the progress of a method: as a bar on a terminal; elsewhere as
// lines, with --verbose.
func (p *printer) progress(i *plugin.Item) {
	message := oneLine(i.Message)
	percent := -1.0
	if !math.IsNaN(i.Percentage) && i.Percentage >= 0 {
		percent = min(i.Percentage, 100)
	}
	if p.columns == nil {
		switch {
		case !p.options.verbose:
		case percent < 0:
			fmt.Fprintf(p.err, "plexus: %s\n", message)
		default:
			fmt.Fprintf(p.err, "plexus: %3.0f%% %s\n", percent, message)
		}
		return
	}
	width := cmp.Or(p.columns(), helptext.Width)
	line := "… " + message
	if percent >= 0 {
		bar := min(barWidth, width/2)
		full := int(percent / 100 * float64(bar))
		line = fmt.Sprintf("[%s%s] %3.0f%% %s", strings.Repeat("#", full), strings.Repeat(".", bar-full), percent, message)
	}
	// A line that wraps can't be taken back; some terminals wrap one that is as
	// wide as they are.
	if runes := []rune(line); len(runes) >= width {
		line = string(runes[:max(0, width-2)]) + "…"
	}
	if line != p.bar {
		p.clear()
		fmt.Fprint(p.err, line)
		p.bar = line
	}
}

// clear takes the bar away.
func (p *printer) clear() {
	if p.bar != "" {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.bar = ""
	}
}
