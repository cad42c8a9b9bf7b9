// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/plexus-go/plexus/internal/codec"
)

// Call calls another method of the hub that runs this one, by its path
// ("registry.list"), without a socket, and for the same caller. params is encoded
// as JSON, nil for none; each content is decoded into a T. Progress of the
// method is dropped; its questions go to the caller, if both methods are
// [Bidirectional].
//
// The method ends when the range does. An error that ends it is an [Error], as
// a client of the hub would read it.
func Call[T any](ctx context.Context, path string, params any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s := scopeOf(ctx)
		if s == nil {
			yield(none, fmt.Errorf("calling %s: outside of a hub", path))
			return
		}
		var text []byte
		if params != nil {
			var err error
			if text, err = codec.AppendJSON(nil, params); err != nil {
				yield(none, fmt.Errorf("calling %s: parameters: %w", path, err))
				return
			}
		}
		for content, err := range s.Call(ctx, path, text) {
			value := none
			if err == nil {
				value, err = contentAs[T](path, content)
			}
			if !yield(value, err) {
				return
			}
		}
	}
}

// CallOne is [Call] for a method that answers once: it returns the first
// content, or the first error that is not recoverable.
func CallOne[T any](ctx context.Context, path string, params any) (T, error) {
	for content, err := range Call[T](ctx, path, params) {
		var failure *Error
		if errors.As(err, &failure) && failure.Recoverable {
			continue
		}
		return content, err
	}
	var none T
	return none, fmt.Errorf("calling %s: no answer", path)
}

// contentAs converts what an activation yielded into a T. A T is not copied: it is
// shared with its activation.
func contentAs[T any](from string, content any) (value T, err error) {
	if value, ok := content.(T); ok {
		return value, nil
	}
	if err := decodeContent(content, &value); err != nil {
		return value, fmt.Errorf("%s: the content is not a %T: %w", from, value, err)
	}
	return value, nil
}
