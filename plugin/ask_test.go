// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// size is an enumeration that a Select offers whole.
type size string

func (size) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "s", Label: "Small"}, {Value: "l", Description: "Large"}}
}

// poll and vote are the data of custom questions and answers.
type poll struct {
	Topic string   `json:"topic"`
	Among []string `json:"among,omitempty"`
}

type vote struct {
	For   string  `json:"for"`
	Since *string `json:"since"`
}

// asking asks a question within a scope and prints the answer.
func asking[A any](q plugin.Question[A]) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		a, err := plugin.Ask(ctx, q)
		return fmt.Sprintf("%v", a), err
	}
}

var yes = true

// TestQuestionsAndAnswers states the JSON of each question, as clients of
// other hubs read it, and what each answer comes to. Both keep to what the
// schema of a bidirectional method says.
func TestQuestionsAndAnswers(t *testing.T) {
	abc := []plugin.Choice{{Value: "a"}, {Value: "b", Label: "B", Description: "The second"}}
	standard := unary[plugin.None, any]("m", "", plugin.Bidirectional())
	custom := unary[plugin.None, any]("m", "", plugin.BidirectionalOf[poll, vote]())
	type answers map[string]string // what comes of each, or why it is refused
	const unfit = "Invalid params: response_data: expected an answer of type `%s` or `cancelled`"
	const missing = "Invalid params: missing field: response_data."
	for _, test := range []struct {
		name     string
		ask      func(ctx context.Context) (string, error)
		question string
		schema   plugin.MethodSchema
		taken    answers
		refused  answers
	}{
		{"confirm", asking(plugin.Confirm{Message: "Sure?"}), `{"type":"confirm","message":"Sure?"}`, standard,
			answers{`{"type":"confirmed","value":true}`: "true", `{"value":false,"type":"confirmed"}`: "false"},
			answers{
				`{"type":"text","value":"yes"}`:       fmt.Sprintf(unfit, "confirmed"),
				`{"type":"confirmed"}`:                missing + "value",
				`{"type":"confirmed","value":null}`:   "Invalid params: response_data.value: invalid type: null, expected a boolean",
				`{"type":"confirmed","value":"true"}`: "Invalid params: response_data.value: invalid type: string \"true\", expected a boolean",
				`{"type":"perhaps"}`:                  "Invalid params: response_data.type: unknown variant `perhaps`, expected one of `confirmed`, `text`, `selected`, `custom`, `cancelled`",
				`{}`:                                  "Invalid params: response_data: missing field `type`",
				`true`:                                "Invalid params: response_data: invalid type: boolean `true`, expected response",
				`null`:                                "Invalid params: response_data: invalid type: null, expected response",
				``:                                    "Invalid params: response_data: invalid type: null, expected response",
			}},
		{"confirm with a default", asking(plugin.Confirm{Message: "Sure?", Default: &yes}), `{"type":"confirm","message":"Sure?","default":true}`, standard, nil, nil},
		{"prompt", asking(plugin.Prompt{Message: "Name?"}), `{"type":"prompt","message":"Name?"}`, standard,
			answers{`{"type":"text","value":"Ada"}`: "Ada", `{"type":"text","value":""}`: ""},
			answers{`{"type":"confirmed","value":true}`: fmt.Sprintf(unfit, "text"), `{"type":"text"}`: missing + "value"}},
		{"prompt with all", asking(plugin.Prompt{Message: "Name?", Default: "me", Placeholder: "Ada"}),
			`{"type":"prompt","message":"Name?","default":"me","placeholder":"Ada"}`, standard, nil, nil},
		{"select", asking(plugin.Select[string]{Message: "Which?", Options: abc}),
			`{"type":"select","message":"Which?","options":[{"value":"a","label":"a"},{"value":"b","label":"B","description":"The second"}],"multi_select":false}`, standard,
			answers{`{"type":"selected","values":["b"]}`: "b", `{"type":"selected","values":["a","a"]}`: "a"},
			answers{
				`{"type":"selected","values":["c"]}`:     "Invalid params: response_data.values: `c` is not one of the options",
				`{"type":"selected","values":["B"]}`:     "Invalid params: response_data.values: `B` is not one of the options",
				`{"type":"selected","values":["a","b"]}`: "Invalid params: response_data.values: 2 values are selected, expected one",
				`{"type":"selected","values":[]}`:        "Invalid params: response_data.values: 0 values are selected, expected one",
				`{"type":"selected"}`:                    missing + "values",
				`{"type":"selected","values":[null]}`:    "Invalid params: response_data.values[0]: invalid type: null, expected a string",
				`{"type":"text","value":"a"}`:            fmt.Sprintf(unfit, "selected"),
			}},
		{"select of an enumeration", asking(plugin.Select[size]{Message: "Size?"}),
			`{"type":"select","message":"Size?","options":[{"value":"s","label":"Small"},{"value":"l","label":"l","description":"Large"}],"multi_select":false}`, standard,
			answers{`{"type":"selected","values":["l"]}`: "l"}, answers{`{"type":"selected","values":["xl"]}`: "Invalid params: response_data.values: `xl` is not one of the options"}},
		{"select many", asking(plugin.SelectMany[string]{Message: "Which?", Options: abc[:1]}),
			`{"type":"select","message":"Which?","options":[{"value":"a","label":"a"}],"multi_select":true}`, standard,
			answers{`{"type":"selected","values":["a"]}`: "[a]", `{"type":"selected","values":[]}`: "[]", `{"type":"selected","values":["a","a"]}`: "[a]"},
			answers{`{"type":"selected","values":["a","b"]}`: "Invalid params: response_data.values: `b` is not one of the options", `{"type":"selected"}`: missing + "values"}},
		{"select of nothing", asking(plugin.SelectMany[string]{Message: "Which?"}), `{"type":"select","message":"Which?","options":[],"multi_select":true}`, standard, nil, nil},
		{"custom", asking(plugin.Custom[poll, vote]{Data: poll{Topic: "lunch"}}), `{"type":"custom","data":{"topic":"lunch"}}`, custom,
			answers{`{"type":"custom","data":{"for":"soup"}}`: "{soup <nil>}", `{"type":"custom","data":{"for":"soup","since":null}}`: "{soup <nil>}"},
			answers{
				`{"type":"custom","data":{}}`:           missing + "data.for",
				`{"type":"custom","data":{"for":null}}`: "Invalid params: response_data.data.for: invalid type: null, expected a string",
				`{"type":"custom","data":null}`:         "Invalid params: response_data.data: invalid type: null, expected vote",
				`{"type":"custom","data":7}`:            "Invalid params: response_data.data: invalid type: integer `7`, expected vote",
				`{"type":"custom"}`:                     missing + "data",
				`{"type":"custom","data":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`: "Invalid params: response_data: nested deeper than 64 levels",
				`{"type":"selected","values":["a"]}`:                                                 fmt.Sprintf(unfit, "custom"),
				`{"type":"custom","data":{"for":"a","for":"b"}}`:                                     "",
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.taken == nil {
				test.taken = answers{}
			}
			test.taken[`{"type":"cancelled"}`] = "cancelled by the caller"
			for answer, want := range test.taken {
				s := &scope{path: "a.b", answers: []string{answer}}
				got, err := test.ask(s.in(t.Context()))
				if err != nil {
					got = err.Error()
				}
				if got != want || (err != nil) != (err == plugin.ErrCancelled) || len(s.refusals) > 0 {
					t.Errorf("%s comes to %q, %v, %q; want %q", answer, got, err, s.refusals, want)
				}
				if s.question != test.question || s.timeout != 30*time.Second {
					t.Errorf("asked %s for %v\nwant  %s", s.question, s.timeout, test.question)
				}
				validates(t, test.schema.ResponseType, answer)
			}
			validates(t, test.schema.RequestType, test.question)
			for answer, want := range test.refused {
				s := &scope{path: "a.b", answers: []string{answer}, askErr: plugin.ErrUnanswered}
				_, err := test.ask(s.in(t.Context()))
				if err != plugin.ErrUnanswered || len(s.refusals) != 1 || want != "" && s.refusals[0] != want {
					t.Errorf("%s: %v, refused %q\nwant %q", answer, err, s.refusals, want)
				}
			}
		})
	}
}

// validates checks JSON against a schema.
func validates(t *testing.T, schema json.RawMessage, text string) {
	t.Helper()
	resolved, err := parsed(t, schema).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("%s is not what the schema says: %v", text, err)
	}
}

// TestAnAnswerThatIsRefusedLeavesTheQuestionOpen for one that fits.
func TestAnAnswerThatIsRefusedLeavesTheQuestionOpen(t *testing.T) {
	s := &scope{answers: []string{`{"type":"text","value":"x"}`, `{"type":"confirmed","value":true}`}}
	sure, err := plugin.AskWithin(s.in(t.Context()), time.Minute, plugin.Confirm{Message: "Sure?"})
	if !sure || err != nil || len(s.refusals) != 1 || s.timeout != time.Minute {
		t.Errorf("%v, %v, %q", sure, err, s.refusals)
	}
}

func TestAQuestionThatCantBeEncoded(t *testing.T) {
	s := &scope{path: "a.b"}
	_, err := plugin.Ask(s.in(t.Context()), plugin.Custom[any, any]{Data: func() {}})
	if err == nil || errors.Is(err, plugin.ErrCannotAsk) || s.question != "" {
		t.Errorf("%v", err)
	}
}

func TestSchemaOfABidirectionalMethod(t *testing.T) {
	s := unary[plugin.None, any]("m", "", plugin.Bidirectional())
	asks, answers := parsed(t, s.RequestType), parsed(t, s.ResponseType)
	if !s.Bidirectional || asks.Title != "StandardRequest" || answers.Title != "StandardResponse" {
		t.Errorf("%+v", s)
	}
	var kinds []any
	for _, v := range append(asks.OneOf, answers.OneOf...) {
		kinds = append(kinds, *v.Properties["type"].Const)
	}
	if got := fmt.Sprint(kinds); got != "[confirm prompt select custom confirmed text selected custom cancelled]" {
		t.Errorf("%s", got)
	}
	if plain := unary[plugin.None, any]("m", ""); plain.Bidirectional || plain.RequestType != nil || plain.ResponseType != nil {
		t.Errorf("%+v", plain)
	}
}
