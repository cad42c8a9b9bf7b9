// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
)

// Why a question has no answer. The caller may read each of them.
var (
	// ErrCancelled says that the caller has declined to answer.
	ErrCancelled = &Error{Message: "cancelled by the caller"}
	// ErrUnanswered says that no answer came in time, or none that fits. Errors
	// that wrap it say why the last one was refused.
	ErrUnanswered = &Error{Message: "the question was not answered in time"}
	// ErrCannotAsk says that no caller can be asked: the method, or the method
	// that called it, is not [Bidirectional], or it runs outside of a hub.
	ErrCannotAsk = &Error{Message: "the caller can't be asked"}
)

// Question is a question to the caller of a method: a [Confirm], [Prompt],
// [Select], [SelectMany] or [Custom]. A is the type of the answer.
type Question[A any] interface {
	question() any // the union that is sent
	answer(r *response[anything]) (A, error)
}

// Ask asks the caller of the method that runs, and waits 30 seconds for the
// answer. The method must be [Bidirectional]. The error is [ErrCancelled],
// [ErrUnanswered], [ErrCannotAsk], or that of ctx, when the caller has left.
//
//	sure, err := plugin.Ask(ctx, plugin.Confirm{Message: "Delete it?"})
func Ask[A any](ctx context.Context, q Question[A]) (A, error) {
	return AskWithin(ctx, 30*time.Second, q)
}

// AskWithin is [Ask] with another timeout.
func AskWithin[A any](ctx context.Context, timeout time.Duration, q Question[A]) (A, error) {
	var answer A
	s := scopeOf(ctx)
	if s == nil {
		return answer, ErrCannotAsk
	}
	data, err := codec.AppendJSON(nil, q.question())
	if err != nil {
		return answer, fmt.Errorf("a question of %s: %w", s.Path(), err)
	}
	cancelled := false
	err = s.Ask(ctx, data, timeout, func(text []byte) error {
		var r response[anything]
		if bad := codec.DecodeStrictly("response_data", text, &r); bad != nil {
			return invalidParams(bad)
		}
		if cancelled = r.Cancelled != nil; cancelled {
			return nil
		}
		var err error
		answer, err = q.answer(&r)
		return err
	})
	if err == nil && cancelled {
		err = ErrCancelled
	}
	return answer, err
}

// Confirm asks for yes or no.
type Confirm struct {
	Message string `json:"message"`
	Default *bool  `json:"default,omitzero"` // what is suggested; nil for nothing
}

func (c Confirm) question() any { return request[anything, anything]{Confirm: &c} }

func (Confirm) answer(r *response[anything]) (bool, error) {
	if r.Confirmed == nil {
		return false, unexpected("confirmed")
	}
	return r.Confirmed.Value, nil
}

// Prompt asks for a text.
type Prompt struct {
	Message     string `json:"message"`
	Default     string `json:"default,omitempty"`     // what is suggested; empty for nothing
	Placeholder string `json:"placeholder,omitempty"` // an example to show; empty for none
}

func (p Prompt) question() any { return request[anything, anything]{Prompt: &p} }

func (Prompt) answer(r *response[anything]) (string, error) {
	if r.Text == nil {
		return "", unexpected("text")
	}
	return r.Text.Value, nil
}

// Select asks for one of several values.
type Select[T ~string] struct {
	Message string
	// Options are offered; nil for all values of T, if T is [Enumerated].
	Options []Choice
}

func (s Select[T]) question() any { return s.request(false) }

func (s Select[T]) answer(r *response[anything]) (T, error) {
	values, err := s.selected(r)
	if err == nil && len(values) != 1 {
		err = InvalidParams(fmt.Sprintf("response_data.values: %d values are selected, expected one", len(values)))
	}
	if err != nil {
		return "", err
	}
	return values[0], nil
}

// SelectMany asks for any number of several values: see [Select].
type SelectMany[T ~string] Select[T]

func (s SelectMany[T]) question() any { return Select[T](s).request(true) }

func (s SelectMany[T]) answer(r *response[anything]) ([]T, error) { return Select[T](s).selected(r) }

// options returns the options that are offered.
func (s Select[T]) options() []Choice {
	var zero T
	if e, ok := any(zero).(Enumerated); ok && s.Options == nil {
		return e.Enum()
	}
	return s.Options
}

func (s Select[T]) request(many bool) any {
	out := &selectRequest{Message: s.Message, MultiSelect: many, Options: []selectOption{}}
	for _, c := range s.options() {
		out.Options = append(out.Options, selectOption{Value: c.Value, Label: cmp.Or(c.Label, c.Value), Description: c.Description})
	}
	return request[anything, anything]{Select: out}
}

func (s Select[T]) selected(r *response[anything]) ([]T, error) {
	if r.Selected == nil {
		return nil, unexpected("selected")
	}
	values := []T{}
	for _, v := range r.Selected.Values {
		if !slices.ContainsFunc(s.options(), func(c Choice) bool { return c.Value == v }) {
			return nil, InvalidParams("response_data.values: `" + codec.Shorten(v) + "` is not one of the options")
		}
		if !slices.Contains(values, T(v)) {
			values = append(values, T(v))
		}
	}
	return values, nil
}

// Custom asks a question of the activation's own kind, for clients that know
// it: see [BidirectionalOf]. Q and A are types with schemas, as those of
// parameters.
type Custom[Q, A any] struct {
	Data Q `json:"data"`
}

func (c Custom[Q, A]) question() any { return request[Q, A]{Custom: &c} }

func (Custom[Q, A]) answer(r *response[anything]) (answer A, err error) {
	if r.Custom == nil {
		return answer, unexpected("custom")
	}
	if bad := codec.DecodeStrictly("response_data.data", r.Custom.Data, &answer); bad != nil {
		return answer, invalidParams(bad)
	}
	return answer, nil
}

func unexpected(want string) error {
	return InvalidParams("response_data: expected an answer of type `" + want + "` or `cancelled`")
}

// request is what a caller is asked, and response what it answers, as clients
// know them. Q and A are the data of custom ones.
type request[Q, A any] struct {
	Union   `discriminator:"type" title:"StandardRequest" description:"What a method asks its caller while it runs"`
	Confirm *Confirm       `tag:"confirm" description:"Yes or no"`
	Prompt  *Prompt        `tag:"prompt" description:"A text"`
	Select  *selectRequest `tag:"select" description:"One or several of these"`
	Custom  *Custom[Q, A]  `tag:"custom" description:"A question of the method's own kind"`
}

type selectRequest struct {
	Message     string         `json:"message"`
	Options     []selectOption `json:"options"`
	MultiSelect bool           `json:"multi_select"`
}

type selectOption struct {
	Value       string `json:"value"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
}

type response[A any] struct {
	Union     `discriminator:"type" title:"StandardResponse" description:"What a caller answers"`
	Confirmed *valueResponse[bool]   `tag:"confirmed" description:"To confirm"`
	Text      *valueResponse[string] `tag:"text" description:"To prompt"`
	Selected  *selectedResponse      `tag:"selected" description:"To select"`
	Custom    *customResponse[A]     `tag:"custom" description:"To custom"`
	Cancelled *struct{}              `tag:"cancelled" description:"The caller does not want to answer"`
}

type valueResponse[T any] struct {
	Value T `json:"value"`
}

type selectedResponse struct {
	Values []string `json:"values"`
}

type customResponse[A any] struct {
	Data A `json:"data"`
}

// anything stands for the data of a custom question where there is none.
type anything = stdjson.RawMessage
