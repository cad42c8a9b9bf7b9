// SPDX-License-Identifier: AGPL-3.0-only

package testkit_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

func TestParse(t *testing.T) {
	steps, err := testkit.ParseTranscript(`# A comment.
given {"name": "alpha"}
file
# not a comment
[[backend]]

end

--> {"id": 1}
<-- {"result":
    [1,
     2]}
<-- "second"
was "first"
was ["of
    two"]
new
--> text "  \"quoted\"\n"
no file
file
end
-->
`)
	if err != nil {
		t.Fatal(err)
	}
	frame := func(text string) *string { return &text }
	want := []testkit.Step{
		{Line: 2, Given: json.RawMessage(`{"name": "alpha"}`)},
		{Line: 3, SetsFile: true, File: []byte("# not a comment\n[[backend]]\n\n")},
		{Line: 9, Send: frame(`{"id": 1}`), New: true,
			Want: []json.RawMessage{[]byte(`{"result":    [1,     2]}`), []byte(`"second"`)},
			Was:  []json.RawMessage{[]byte(`"first"`), []byte(`["of    two"]`)}},
		{Line: 18, Send: frame("  \"quoted\"\n")},
		{Line: 19, SetsFile: true},
		{Line: 20, SetsFile: true, File: []byte{}},
		{Line: 22, Send: frame("")},
	}
	if len(steps) != len(want) {
		t.Fatalf("%d steps, want %d", len(steps), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(steps[i], want[i]) {
			t.Errorf("step %d is %+v, want %+v", i, steps[i], want[i])
		}
	}
}

func TestParseNothing(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment"} {
		if steps, err := testkit.ParseTranscript(text); err != nil || len(steps) != 0 {
			t.Errorf("%q: %v, %v", text, steps, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no known word", "# one\nhello there", `line 2: "hello there" begins with no known word`},
		{"word that only begins like one", "--->x", `line 1: "--->x" begins with no known word`},
		{"indented line after nothing", "--> {}\n  {}", `line 2: "  {}" begins with no known word`},
		{"answer to nothing", "\n<-- {}", "line 2: an answer to nothing"},
		{"answer to what is given", "given {}\n<-- {}", "line 2: an answer to nothing"},
		{"former answer to nothing", "was {}", "line 1: an answer to nothing"},
		{"new without a request", "new", "line 1: an answer to nothing"},
		{"answer without a frame", "--> {}\n<--\n    {}", "line 2: no frame"},
		{"answer that is not JSON", "--> {}\n<-- {\n--> {}", "line 2: the frame ending here is not JSON: "},
		{"answer whose last line is bad", "--> {}\n<-- {\n  x\n", "line 3: the frame ending here is not JSON: "},
		{"answer that ends the text", "--> {}\n\n<-- {}}", "line 3: the frame ending here is not JSON: "},
		{"text that is no string", "--> text hello", "line 1: not a JSON string: "},
		{"given that is not JSON", "\n\ngiven name", "line 3: what is given is not JSON: name"},
		{"file without an end", "no file\nfile\nx\n--> {}\n", "line 2: the file has no end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			steps, err := testkit.ParseTranscript(test.text)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, %v, want %s", steps, err, test.want)
			}
		})
	}
}
