// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/plexus-go/plexus/plugin"
)

type nameParams struct {
	Name string `json:"name"`
}

type greeting struct {
	Text string `json:"text" description:"What is said"`
}

func unary[In, Out any](name, description string, options ...plugin.Option) plugin.MethodSchema {
	return plugin.Unary(name, description, func(context.Context, In) (Out, error) {
		var none Out
		return none, nil
	}, options...).Schema()
}

func greet(_ context.Context, in nameParams) (greeting, error) {
	if in.Name == "" {
		return greeting{Text: "not to be seen"}, errors.New("nobody")
	}
	return greeting{"Hello, " + in.Name}, nil
}

// parsed reads a schema.
func parsed(t *testing.T, text json.RawMessage) *jsonschema.Schema {
	t.Helper()
	s := new(jsonschema.Schema)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}
