// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		if q.Kind == client.Confirm {
			return true, nil
		}
		if answer, ok := defaultOf(q); ok {
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
	from := p.stdin
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	switch {
	case err == nil:
		from = terminal
	case term.IsTerminal(int(os.Stderr.Fd())):
		terminal = os.Stderr
	default:
		return false
	}
	p.terminal, p.lines = terminal, make(chan string)
	// Nothing ends a read from a terminal for certain, so this goroutine ends
	// with the process. It is the only one that reads from there.
	go func() {
		defer close(p.lines)
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
	text := cmp.Or(q.Message, string(q.Data))
	for i, option := range q.Options {
		text += fmt.Sprintf("\n  %d) %s", i+1, cmp.Or(option.Label, rawText(option.Value)))
		if option.Description != "" {
			text += " - " + option.Description
		}
	}
	return text
}

// invitation is the prompt: the default, and how much time there is.
func invitation(q client.Question) string {
	text, end := "", " "
	switch {
	case q.Kind == client.Confirm:
		text = cmp.Or(map[string]string{"true": " [Y/n]", "false": " [y/N]"}[string(q.Default)], " [y/n]")
	case q.Kind == client.Select && q.MultiSelect:
		text, end = "\nNumbers, by commas", ": "
	case q.Kind == client.Select:
		text, end = "\nNumber", ": "
	case q.Default != nil:
		text = " [" + rawText(q.Default) + "]"
	case q.Placeholder != "":
		text = " (such as " + q.Placeholder + ")"
	}
	if q.Timeout > 0 {
		text += fmt.Sprintf(" (%v)", q.Timeout)
	}
	return text + end
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
func defaultOf(q client.Question) (answer any, ok bool) {
	_ = json.Unmarshal(q.Default, &answer) // nil for none
	switch answer.(type) {
	case bool:
		return answer, q.Kind == client.Confirm
	case string:
		return answer, q.Kind == client.Prompt
	}
	return nil, false
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
	var values []string
	for _, o := range q.Options {
		values = append(values, rawText(o.Value))
	}
	var chosen []any
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == "" && q.MultiSelect {
			continue
		}
		i := slices.Index(values, word)
		if i < 0 {
			i = slices.IndexFunc(q.Options, func(o client.Choice) bool { return o.Label != "" && strings.EqualFold(o.Label, word) })
		}
		if n, err := strconv.Atoi(word); err == nil && i < 0 {
			i = n - 1
		}
		if i < 0 || i >= len(values) {
			return nil, fmt.Errorf("%s is none of %s", quoted(word), orList(values))
		}
		chosen = append(chosen, q.Options[i].Value)
	}
	return chosen, nil
}
