// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/transport/client"
)

var (
	sure     = client.Question{Method: "m", Kind: client.Confirm, Message: "Sure?"}
	named    = client.Question{Method: "m", Kind: client.Prompt, Message: "Name?", Default: json.RawMessage(`"bob"`)}
	coloured = client.Question{Method: "m", Kind: client.Select, Message: "Colour?", Options: []client.Choice{
		{Value: json.RawMessage(`"r"`), Label: "Red"}, {Value: json.RawMessage(`2`), Label: "Blue"}, {Value: json.RawMessage(`1`)},
	}}
)

func TestAnswers(t *testing.T) {
	several := coloured
	several.MultiSelect = true
	for _, test := range []struct {
		question     client.Question
		answer, want string // want is empty for what is no answer
	}{
		{sure, "y", `true`},
		{sure, " YES ", `true`},
		{sure, "no", `false`},
		{sure, "", ""},
		{sure, "perhaps", ""},
		{named, "", `""`},
		{named, " x ", `" x "`},
		{coloured, "r", `["r"]`},
		{coloured, "BLUE", `[2]`},
		{coloured, "2", `[2]`}, // a value before a number
		{coloured, "3", `[1]`},
		{coloured, "4", ""},
		{coloured, "0", ""},
		{coloured, "", ""},
		{coloured, "r,2", ""},
		{several, "r, Blue", `["r",2]`},
		{several, "", `null`},
		{client.Question{Kind: client.Custom}, `{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{client.Question{Kind: "unheard"}, `text`, `"text"`},
	} {
		answer, err := answerOf(test.question, test.answer)
		got := ""
		if err == nil {
			text, _ := json.Marshal(answer)
			got = string(text)
		}
		if got != test.want {
			t.Errorf("%s %q: got %s, %v; want %s", test.question.Kind, test.answer, got, err, test.want)
		}
	}
}

// TestLateAnswer: a question whose time is over does not go without a word.
func TestLateAnswer(t *testing.T) {
	for _, test := range []struct {
		name     string
		limit    time.Duration // of the question
		timeout  time.Duration // of the command
		asked, n string
	}{
		{"the question's time", time.Millisecond, 0, "Sure? [y/n] (1ms) \n", "plexus: m asked: Sure?; nobody answered in time, within 1ms, so it was cancelled\n"},
		{"the question's time, before the command's", time.Millisecond, time.Hour, "Sure? [y/n] (1ms) \n", "plexus: m asked: Sure?; nobody answered in time, within 1ms, so it was cancelled\n"},
		{"the command's time", time.Hour, time.Millisecond, "Sure? [y/n] (1h0m0s) \n", ""},
		{"no time is given", 0, time.Millisecond, "Sure? [y/n] \n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			terminal, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
			if err != nil {
				t.Fatal(err)
			}
			defer terminal.Close()
			var notes bytes.Buffer
			o := &options{timeout: test.timeout}
			a := &prompter{options: o, printer: &printer{err: &notes, options: o}, began: time.Now(), terminal: terminal, lines: make(chan string)}
			ctx := t.Context()
			for _, limit := range []time.Duration{test.timeout, test.limit} {
				if limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithDeadline(ctx, a.began.Add(limit))
					defer cancel()
				}
			}
			q := sure
			q.Timeout = test.limit
			if _, err := a.answer(ctx, q); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			asked, err := os.ReadFile(terminal.Name())
			if string(asked) != test.asked || notes.String() != test.n || err != nil {
				t.Errorf("asked %q, want %q; notes %q, want %q; %v", asked, test.asked, notes.String(), test.n, err)
			}
		})
	}
}

// TestPromptsSayTheTime: each prompt says how much time there is.
func TestPromptsSayTheTime(t *testing.T) {
	several := coloured
	several.MultiSelect = true
	for _, q := range []client.Question{sure, named, coloured, several,
		{Kind: client.Confirm, Default: json.RawMessage("true")}, {Kind: client.Confirm, Default: json.RawMessage("false")},
		{Kind: client.Prompt, Placeholder: "x"}, {Kind: client.Prompt}, {Kind: client.Custom},
	} {
		if text := invitation(q); strings.Contains(text, "0s") || !strings.HasSuffix(text, " ") {
			t.Errorf("%+v: %q", q, text)
		}
		q.Timeout = 90 * time.Second
		if text := invitation(q); !strings.Contains(text, " (1m30s)") || !strings.HasSuffix(text, " ") {
			t.Errorf("%+v: %q", q, text)
		}
	}
}

// TestOrderOfAnswers: --answer goes before --yes, in its order, and where both
// are used up nobody is asked who is not there.
func TestOrderOfAnswers(t *testing.T) {
	nobody, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	for _, test := range []struct {
		options options
		want    []string
		notes   string
	}{
		{options{answers: []string{"n", "al"}}, []string{`false`, `"al"`, `null`}, "m asks: Colour? 1) Red 2) Blue 3) 1; nobody is there"},
		{options{answers: []string{"n"}, yes: true}, []string{`false`, `"bob"`, `null`}, "can't be answered with yes"},
		{options{yes: true}, []string{`true`, `"bob"`, `null`}, "can't be answered with yes"},
		{options{}, []string{`null`, `null`, `null`}, "m asks: Sure?; nobody is there"},
	} {
		var out, notes bytes.Buffer
		a := &prompter{options: &test.options, stdin: nobody, printer: &printer{out: &out, err: &notes, options: &test.options}}
		for i, q := range []client.Question{sure, named, coloured} {
			answer, err := a.answer(t.Context(), q)
			text, _ := json.Marshal(answer)
			if err != nil || !strings.Contains(string(text), test.want[i]) {
				t.Errorf("%+v: question %d: got %s, %v; want %s", test.options, i, text, err, test.want[i])
			}
		}
		if out.Len() > 0 || !strings.Contains(notes.String(), test.notes) {
			t.Errorf("%+v: notes %q", test.options, notes.String())
		}
	}
}
