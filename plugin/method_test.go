// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

func TestUnaryYieldsOnce(t *testing.T) {
	m := plugin.Unary("greet", "", greet)
	if contents, errs := run(t, m, `"you"`); !reflect.DeepEqual(contents, []any{greeting{"Hello, you"}}) || errs[0] != nil {
		t.Errorf("%v, %v", contents, errs)
	}
	if contents, errs := run(t, m, `""`); len(contents) != 1 || contents[0] != nil || errs[0] == nil {
		t.Errorf("a failure yields %v, %v", contents, errs)
	}
}

func TestStreamYieldsAllAndStopsWhenBrokenOff(t *testing.T) {
	yielded, stopped := 0, false
	failure := errors.New("half way")
	m := plugin.Stream("count", "", func(context.Context, plugin.None) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			defer func() { stopped = true }()
			for i := range 4 {
				yielded++
				var err error
				if i == 2 {
					err = failure
				}
				if !yield(i, err) {
					return
				}
			}
		}
	})
	contents, errs := run(t, m, "")
	if !reflect.DeepEqual(contents, []any{0, 1, nil, 3}) || !reflect.DeepEqual(errs, []error{nil, nil, failure, nil}) {
		t.Errorf("%v, %v", contents, errs)
	}
	for most := 1; most <= 4; most++ {
		yielded, stopped = 0, false
		in, _ := m.Bind(nil, false)
		for range m.Handle(t.Context(), in) {
			if yielded == most {
				break
			}
		}
		if yielded != most || !stopped {
			t.Errorf("broken off after %d: %d were made, stopped: %v", most, yielded, stopped)
		}
	}
}

func TestHandlersGetParametersOfTheirOwn(t *testing.T) {
	m := plugin.Unary("m", "", func(_ context.Context, in nameParams) (nameParams, error) { return in, nil })
	first, _ := m.Bind([]byte(`"a"`), false)
	second, _ := m.Bind([]byte(`"b"`), false)
	if first.(*nameParams).Name != "a" || second.(*nameParams).Name != "b" {
		t.Errorf("%v, %v", first, second)
	}
}
