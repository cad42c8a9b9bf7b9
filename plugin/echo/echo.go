// SPDX-License-Identifier: AGPL-3.0-only

package echo

import (
	"context"
	"fmt"
	"iter"

	"github.com/plexus-go/plexus/plugin"
)

// maxRepeats bounds RepeatParams.Count.
const maxRepeats = 1_000_000

// OnceParams are the parameters of once.
type OnceParams struct {
	Message string `json:"message" description:"What to say back"`
}

// RepeatParams are the parameters of repeat.
type RepeatParams struct {
	Message string `json:"message" description:"What to say back"`
	Count   uint32 `json:"count,omitzero" default:"3" description:"How many times, at most 1000000"`
}

// SchemaDetails says what Validate accepts.
func (RepeatParams) SchemaDetails() map[string]string {
	return map[string]string{"count": fmt.Sprintf(`{"maximum": %d}`, maxRepeats)}
}

// Validate checks the bounds.
func (p *RepeatParams) Validate() error {
	if p.Count > maxRepeats {
		return fmt.Errorf("count %d is more than %d", p.Count, maxRepeats)
	}
	return nil
}

// Echo is what both methods answer with.
type Echo struct {
	Message string `json:"message" description:"What was said"`
	Number  uint32 `json:"number" description:"Which repetition this is, from 1"`
}

// New returns the activation, under the namespace echo.
func New() plugin.Activation {
	return plugin.Definition{
		Namespace:   "echo",
		Version:     "1.0.0",
		Description: "Says back what it is told",
		Methods: []plugin.Method{
			plugin.Unary("once", "Say a message back once", once, plugin.Quick()),
			plugin.Stream("repeat", "Say a message back several times", repeat),
		},
	}
}

func once(_ context.Context, in OnceParams) (Echo, error) {
	return Echo{Message: in.Message, Number: 1}, nil
}

func repeat(ctx context.Context, in RepeatParams) iter.Seq2[Echo, error] {
	return func(yield func(Echo, error) bool) {
		for n := range in.Count {
			if ctx.Err() != nil || !yield(Echo{Message: in.Message, Number: n + 1}, nil) {
				return
			}
		}
	}
}
