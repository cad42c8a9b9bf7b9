// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/codec"
)

// sized is content that tells its size, whatever it is.
type sized int

func (s sized) SizeJSON() int { return int(s) }

func (s sized) AppendJSON(dst []byte) ([]byte, error) { return append(dst, `"sized"`...), nil }

// unsized is content that does not.
type unsized struct{}

func (unsized) AppendJSON(dst []byte) ([]byte, error) {
	return append(dst, strings.Repeat("1", 100)...), nil
}

func TestAppendJSONWithin(t *testing.T) {
	for _, test := range []struct {
		name    string
		content any
		most    int
		want    string // or
		size    int    // of what was not appended, at least
	}{
		{"short", "abc", 10, `"abc"`, 0},
		{"as long as it may be", "abc", 6, `"abc"`, 0}, // with the encoder's line break
		{"too long", "abc", 4, "", 5},
		{"far too long", strings.Repeat("x", 1<<20), 1000, "", 1 << 20},
		{"many values", make([]int, 100_000), 1000, "", 200_000},
		{"sized", sized(10), 10, `"sized"`, 0},
		{"sized, too long", sized(11), 10, "", 11},
		{"sized, without a bound", sized(math.MaxInt), math.MaxInt, `"sized"`, 0},
		{"unsized", unsized{}, 10, strings.Repeat("1", 100), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := codec.AppendJSONWithin([]byte("before "), test.content, test.most)
			if string(out) != "before "+test.want {
				t.Errorf("%.100s", out)
			}
			var large *codec.SizeError
			switch {
			case test.size == 0 && err != nil:
				t.Error(err)
			case test.size > 0 && (!errors.As(err, &large) || large.Size < test.size || large.Size > test.size+test.size/10+8):
				t.Errorf("%v, want a size of %d", err, test.size)
			}
		})
	}
	if _, err := codec.AppendJSONWithin(nil, make(chan int), 10); err == nil || errors.As(err, new(*codec.SizeError)) {
		t.Errorf("a channel: %v", err)
	}
	// What was too long is forgotten by the next.
	if out, err := codec.AppendJSON(nil, 1); string(out) != "1" || err != nil {
		t.Errorf("%s, %v", out, err)
	}
}
