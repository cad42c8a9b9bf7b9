// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"encoding/json"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// The kinds of questions.
const (
	Confirm = "confirm" // answered with Confirmed
	Prompt  = "prompt"  // with Text
	Select  = "select"  // with Selected
	Custom  = "custom"  // with CustomData
)

// Question is what a method asks its caller while it runs.
type Question struct {
	Method string // the call's
	// Kind is one of the constants, or another that a hub has made up.
	Kind    string
	Message string
	// Default is JSON: a boolean for Confirm, text for Prompt; nil for none.
	Default     json.RawMessage
	Placeholder string   // of Prompt
	Options     []Choice // of Select
	MultiSelect bool     // more than one of them may be chosen
	// Data is the whole question, or what a Custom one is about.
	Data json.RawMessage
	// Timeout is how long the method waits for the answer; 0 where the hub
	// does not say.
	Timeout time.Duration
}

// Choice is one that a Select offers.
type Choice struct {
	Value       json.RawMessage `json:"value"` // to be given to Selected
	Label       string          `json:"label"`
	Description string          `json:"description"` // empty for none
}

func questionOf(method string, i *plugin.Item) Question {
	var told struct {
		Type        string          `json:"type"`
		Message     string          `json:"message"`
		Default     json.RawMessage `json:"default"`
		Placeholder string          `json:"placeholder"`
		Options     []Choice        `json:"options"`
		MultiSelect bool            `json:"multi_select"`
		Data        json.RawMessage `json:"data"`
	}
	// What is not as it should be is left out; Data has all of it.
	_ = json.Unmarshal(i.Question, &told)
	q := Question{
		Method: method, Kind: told.Type, Message: told.Message, Default: told.Default,
		Placeholder: told.Placeholder, Options: told.Options, MultiSelect: told.MultiSelect,
		Data: i.Question, Timeout: i.Timeout,
	}
	if string(q.Default) == "null" {
		q.Default = nil
	}
	if q.Kind == Custom && told.Data != nil {
		q.Data = told.Data
	}
	return q
}

// Answer is the answer to a question. Its zero value is [Cancelled].
type Answer struct {
	kind   string
	fields map[string]any
}

// Confirmed answers a Confirm.
func Confirmed(yes bool) Answer { return Answer{"confirmed", map[string]any{"value": yes}} }

// Text answers a Prompt.
func Text(text string) Answer { return Answer{"text", map[string]any{"value": text}} }

// Selected answers a Select with the values of the options that are chosen.
func Selected(values ...any) Answer {
	return Answer{"selected", map[string]any{"values": append([]any{}, values...)}}
}

// CustomData answers a Custom with anything that json.Marshal takes.
func CustomData(data any) Answer { return Answer{"custom", map[string]any{"data": data}} }

// Cancelled is the answer of somebody who does not want to answer.
func Cancelled() Answer { return Answer{} }

// MarshalJSON writes the answer as hubs read it.
func (a Answer) MarshalJSON() ([]byte, error) {
	object := map[string]any{"type": "cancelled"}
	if a.kind != "" {
		object["type"] = a.kind
	}
	for name, value := range a.fields {
		object[name] = value
	}
	return json.Marshal(object)
}
