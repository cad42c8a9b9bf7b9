// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/plexus-go/plexus/internal/helptext"
	"github.com/plexus-go/plexus/plugin"
)

// mode is how results are printed.
type mode int

const (
	modeAuto   mode = iota // modePretty on a terminal, and modeJSON elsewhere
	modePretty             // for people
	modeJSON               // a line of JSON for each content
	modeRaw                // a line of JSON for each item
)

// output is a standard output. It remembers why it could not be written: neither
// cobra nor who reports an error asks for that.
type output struct {
	io.Writer
	lost error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if err != nil && o.lost == nil {
		o.lost = err
	}
	return n, err
}

// printer prints results on standard output, and all else on standard error.
type printer struct {
	out, err io.Writer
	options  *options
	outTTY   bool
	// columns is how wide the terminal at err is, 0 where that is not known; nil
	// where err is none.
	columns func() int

	printed bool   // something that the next item has to stand apart from
	bar     string // the line of progress that stands on the terminal
}

// mode is how to print, once all flags are known.
func (p *printer) mode() mode {
	switch {
	case p.options.mode != modeAuto:
		return p.options.mode
	case p.outTTY:
		return modePretty
	}
	return modeJSON
}

// item prints an item of a stream.
func (p *printer) item(i *plugin.Item) error {
	if p.mode() == modeRaw {
		return p.line(i.Raw)
	}
	switch {
	case i.Kind == plugin.KindProgress:
		p.progress(i)
		return nil
	case i.Kind != plugin.KindData:
		if p.options.verbose {
			p.note("an item of the type %s: %s", quoted(string(i.Kind)), quoted(string(i.Raw)))
		}
		return nil
	case problem(dataOf(i)) != "":
		return nil // an error, which is reported as such
	}
	return p.value(dataOf(i))
}

func (p *printer) value(content json.RawMessage) error {
	if content == nil {
		content = json.RawMessage("null")
	}
	if p.mode() != modePretty {
		return p.line(content)
	}
	value, err := parse(content)
	if err != nil {
		return p.line(content)
	}
	text := readable(value)
	if p.printed && strings.Count(text, "\n") > 1 {
		text = "\n" + text
	}
	p.printed = true
	return p.write([]byte(text))
}

// json prints an object as one line of JSON.
func (p *printer) json(o *object) error {
	text, err := encode(o)
	if err != nil {
		return err
	}
	return p.line(text)
}

func (p *printer) line(text json.RawMessage) error {
	var buf bytes.Buffer
	if err := json.Compact(&buf, text); err != nil {
		return fmt.Errorf("the hub sent what is no JSON: %w", err)
	}
	buf.WriteByte('\n')
	if p.outTTY {
		return p.text(buf.String()) // the same JSON, with more of it escaped
	}
	return p.write(buf.Bytes())
}

// schema prints the schema of a target: for people it is indented JSON, unless
// it is nested too deep for that.
func (p *printer) schema(t *target) error {
	o := t.schema.object
	if t.method != nil {
		o = t.method.object
	}
	text, err := encode(o)
	if err != nil {
		return err
	}
	if p.mode() != modePretty || depth(o) > maxDepth {
		return p.line(text)
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, text, "", "  "); err != nil {
		return err
	}
	buf.WriteByte('\n')
	return p.write([]byte(printable(buf.String())))
}

func (p *printer) write(text []byte) error {
	p.clear()
	_, err := p.out.Write(text)
	return err
}

// text prints text for people, help for example.
func (p *printer) text(text string) error { return p.write([]byte(printable(text))) }

// Write is text for cobra.
func (p *printer) Write(text []byte) (int, error) {
	return len(text), p.text(string(text))
}

// note reports something that is not an error.
func (p *printer) note(format string, args ...any) {
	p.clear()
	fmt.Fprintln(p.err, "plexus: "+printable(fmt.Sprintf(format, args...)))
}

// failure reports an error after which things go on.
func (p *printer) failure(err error) {
	p.clear()
	printError(p.err, err)
}

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
	line = helptext.Cut(line, width-1)
	if line != p.bar {
		p.clear()
		fmt.Fprint(p.err, line)
		p.bar = line
	}
}

func (p *printer) clear() {
	if p.bar != "" {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.bar = ""
	}
}
