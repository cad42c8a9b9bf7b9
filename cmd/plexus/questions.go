// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/plexus-go/plexus/transport/client"
)

// prompter answers the questions of methods: with what --answer and --yes say,
// else with what somebody types, else not at all.
type prompter struct {
	options *options
	printer *printer
	stdin   *os.File
	began   time.Time // the command, for the end of --timeout

	asked    int         // how many of --answer are used up
	terminal *os.File    // where somebody is asked; nil before
	lines    chan string // what is typed
}

// answer answers a question.
func (p *prompter) answer(ctx context.Context, q client.Question) (any, error) {
	switch {
	case p.asked < len(p.options.answers):
		text := p.options.answers[p.asked]
		p.asked++
		answer, err := answerOf(q, text)
		if err != nil {
			return nil, fmt.Errorf("--answer %s: %w", quoted(text), err)
		}
		return answer, nil
	case p.options.yes:
		if answer, ok := yesTo(q); ok {
			return answer, nil
		}
		p.printer.note("%s asks: %s; that can't be answered with yes, so it was cancelled: use --answer", q.Method, inOneLine(q))
		return nil, nil
	case !p.open():
		p.printer.note("%s asks: %s; nobody is there to answer, so it was cancelled: use --yes or --answer", q.Method, inOneLine(q))
		return nil, nil
	}
	return p.ask(ctx, q)
}

// surplus reports the answers of --answer that no question asked for.
func (p *prompter) surplus() {
	if left := p.options.answers[p.asked:]; len(left) > 0 {
		p.printer.note("no question was asked for %d of the answers given with --answer, from %s on", len(left), quoted(left[0]))
	}
}

// open finds the terminal to ask at.
func (p *prompter) open() bool {
	if p.terminal != nil {
		return true
	}
	if !term.IsTerminal(int(p.stdin.Fd())) {
		return false
	}
	// Both outputs may lead elsewhere.
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		if !term.IsTerminal(int(os.Stderr.Fd())) {
			return false
		}
		terminal = os.Stderr
	}
	p.terminal, p.lines = terminal, make(chan string)
	// Nothing ends a read from a terminal for certain, so this goroutine ends
	// with the process. It is the only one that reads from there.
	go func() {
		defer close(p.lines)
		var from io.Reader = p.stdin
		if terminal != os.Stderr {
			from = terminal
		}
		for lines := bufio.NewScanner(from); lines.Scan(); {
			p.lines <- lines.Text()
		}
	}()
	return true
}

// ask asks until the answer makes sense.
func (p *prompter) ask(ctx context.Context, q client.Question) (any, error) {
	p.printer.clear()
	fmt.Fprint(p.terminal, printable(shownQuestion(q)))
	for {
		fmt.Fprint(p.terminal, printable(invitation(q)))
		select {
		case <-ctx.Done():
			fmt.Fprintln(p.terminal)
			if p.expired(ctx, q) {
				p.printer.note("%s asked: %s; nobody answered in time, within %v, so it was cancelled", q.Method, inOneLine(q), q.Timeout)
			}
			return nil, ctx.Err()
		case line, more := <-p.lines:
			if !more {
				fmt.Fprintln(p.terminal)
				return nil, nil
			}
			if strings.TrimSpace(line) == "" {
				if answer, ok := defaultOf(q); ok {
					return answer, nil
				}
			}
			answer, err := answerOf(q, line)
			if err == nil {
				return answer, nil
			}
			fmt.Fprintf(p.terminal, "%s\n", printable(err.Error()))
		}
	}
}

// expired reports whether the time of a question is over, and not that of the
// command.
func (p *prompter) expired(ctx context.Context, q client.Question) bool {
	end, bounded := ctx.Deadline()
	return bounded && q.Timeout > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) &&
		(p.options.timeout == 0 || end.Before(p.began.Add(p.options.timeout)))
}

func inOneLine(q client.Question) string { return strings.Join(strings.Fields(shownQuestion(q)), " ") }

// shownQuestion words a question, with what can be chosen.
func shownQuestion(q client.Question) string {
	text := q.Message
	if text == "" {
		text = string(q.Data)
	}
	for i, option := range q.Options {
		label := option.Label
		if label == "" {
			label = rawText(option.Value)
		}
		text += fmt.Sprintf("\n  %d) %s", i+1, label)
		if option.Description != "" {
			text += " - " + option.Description
		}
	}
	return text
}

// invitation is the prompt: the default, and how much time there is.
func invitation(q client.Question) string {
	limit := ""
	if q.Timeout > 0 {
		limit = fmt.Sprintf(" (%v)", q.Timeout)
	}
	switch {
	case q.Kind == client.Confirm && string(q.Default) == "true":
		return " [Y/n]" + limit + " "
	case q.Kind == client.Confirm && string(q.Default) == "false":
		return " [y/N]" + limit + " "
	case q.Kind == client.Confirm:
		return " [y/n]" + limit + " "
	case q.Kind == client.Select && q.MultiSelect:
		return "\nNumbers, by commas" + limit + ": "
	case q.Kind == client.Select:
		return "\nNumber" + limit + ": "
	case q.Default != nil:
		return " [" + rawText(q.Default) + "]" + limit + " "
	case q.Placeholder != "":
		return " (such as " + q.Placeholder + ")" + limit + " "
	}
	return limit + " "
}

// rawText is a JSON value as a person writes it.
func rawText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		return text
	}
	return string(value)
}

// defaultOf is the answer of somebody who types nothing.
func defaultOf(q client.Question) (any, bool) {
	switch q.Kind {
	case client.Confirm:
		var yes bool
		if json.Unmarshal(q.Default, &yes) == nil {
			return yes, true
		}
	case client.Prompt:
		var text string
		if json.Unmarshal(q.Default, &text) == nil && q.Default != nil {
			return text, true
		}
	}
	return nil, false
}

// yesTo is the answer of --yes.
func yesTo(q client.Question) (any, bool) {
	if q.Kind == client.Confirm {
		return true, true
	}
	return defaultOf(q)
}

// answerOf reads an answer.
func answerOf(q client.Question, text string) (any, error) {
	switch q.Kind {
	case client.Confirm:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "y", "yes", "true":
			return true, nil
		case "n", "no", "false":
			return false, nil
		}
		return nil, errors.New("please answer yes or no")
	case client.Prompt:
		return text, nil
	case client.Select:
		return selectionOf(q, text)
	}
	value, err := parse([]byte(text))
	if err != nil {
		value = text
	}
	return value, nil
}

// selectionOf finds the options that are meant by their values, labels or
// numbers.
func selectionOf(q client.Question, text string) (any, error) {
	words := []string{text}
	if q.MultiSelect {
		words = strings.Split(text, ",")
	}
	var chosen []any
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == "" && q.MultiSelect {
			continue
		}
		i := slices.IndexFunc(q.Options, func(o client.Choice) bool { return rawText(o.Value) == word })
		if i < 0 {
			i = slices.IndexFunc(q.Options, func(o client.Choice) bool { return o.Label != "" && strings.EqualFold(o.Label, word) })
		}
		if i < 0 {
			if n, err := strconv.Atoi(word); err == nil {
				i = n - 1
			}
		}
		if i < 0 || i >= len(q.Options) {
			var names []string
			for _, o := range q.Options {
				names = append(names, rawText(o.Value))
			}
			return nil, fmt.Errorf("%s is none of %s", quoted(word), orList(names))
		}
		chosen = append(chosen, q.Options[i].Value)
	}
	return chosen, nil
}
