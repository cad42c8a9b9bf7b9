// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
	"github.com/plexus-go/plexus/plugin"
)

// The kinds of questions, and how they are answered.
const (
	Confirm = "confirm" // answered with a bool
	Prompt  = "prompt"  // with a string
	Select  = "select"  // with the Value of a Choice, or a slice of them
	Custom  = "custom"  // with anything that is a parameter of Call
)

// Question is what a method asks its caller while it runs.
type Question struct {
	Method string `json:"-"` // the call's
	// Kind is one of the constants, or another that only this hub knows.
	Kind    string `json:"type"`
	Message string `json:"message"`
	// Default is JSON: a boolean for Confirm, text for Prompt; nil for none.
	Default     json.RawMessage `json:"default"`
	Placeholder string          `json:"placeholder"`  // of Prompt
	Options     []Choice        `json:"options"`      // of Select
	MultiSelect bool            `json:"multi_select"` // more than one of them may be chosen
	// Data is the whole question, or what a Custom one is about.
	Data json.RawMessage `json:"data"`
	// Timeout is how long the method waits for the answer; 0 where the hub
	// does not say.
	Timeout time.Duration `json:"-"`
}

// Choice is one that a Select offers.
type Choice struct {
	Value       json.RawMessage `json:"value"` // the answer that selects it
	Label       string          `json:"label"`
	Description string          `json:"description"` // empty for none
}

// Decode decodes Data into what v points to, as Item.Decode does: a Custom question
// of a Go hub may hold unions and durations.
func (q Question) Decode(v any) error { return codec.DecodeJSON(q.Data, v) }

func questionOf(method string, i *plugin.Item) Question {
	q := Question{Method: method, Timeout: i.Timeout}
	// A field of another type is left out; Data has the whole question.
	_ = json.Unmarshal(i.Question, &q)
	if string(q.Default) == "null" {
		q.Default = nil
	}
	if q.Kind != Custom || q.Data == nil {
		q.Data = i.Question
	}
	return q
}

// cancelled is the answer of a caller who does not want to answer.
var cancelled = []byte(`{"type":"cancelled"}`)

// answerTo encodes an answer, a value or nil, as hubs read it.
func answerTo(kind string, value any) ([]byte, error) {
	if value == nil {
		return cancelled, nil
	}
	text, err := codec.AppendJSON(nil, value)
	if err != nil {
		return nil, err
	}
	switch kind {
	case Confirm:
		return fmt.Appendf(nil, `{"type":"confirmed","value":%s}`, text), nil
	case Prompt:
		return fmt.Appendf(nil, `{"type":"text","value":%s}`, text), nil
	case Select:
		if text[0] != '[' {
			text = fmt.Appendf(nil, "[%s]", text)
		}
		return fmt.Appendf(nil, `{"type":"selected","values":%s}`, text), nil
	}
	return fmt.Appendf(nil, `{"data":%s,"type":"custom"}`, text), nil
}
