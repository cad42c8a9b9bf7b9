// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/internal/wire"
)

// What is glanced at must be what a parser sees, in every frame that hubs were
// heard to send.
func TestGlanceAgreesWithTheParser(t *testing.T) {
	glanced := 0
	for _, e := range testkit.Recordings(t) {
		for _, text := range e.Frames {
			var frame bytes.Buffer
			if err := json.Compact(&frame, text); err != nil {
				t.Fatal(err)
			}
			s, ok := glance(frame.Bytes())
			if !ok {
				continue
			}
			glanced++
			f, err := wire.ParseFrame(frame.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			content, _ := f.Item.Content.(json.RawMessage)
			subscription := f.Subscription
			if f.ID != nil {
				subscription = f.Result
			}
			if !bytes.Equal(s.id, f.ID) || !bytes.Equal(s.subscription, wire.Key(subscription)) ||
				s.item != string(f.Item.Kind) || !bytes.HasPrefix(s.content, content) || f.Err != nil {
				t.Errorf("%s: %.300s is seen as %+v", e.Recording, frame.Bytes(), s)
			}
		}
	}
	if glanced < 30 {
		t.Errorf("only %d frames could be glanced at", glanced)
	}
}

func TestLook(t *testing.T) {
	const id = "1111111000000001"
	cases := map[string]struct {
		frame string
		want  sight // content and id as text in what follows
		id    string
		sub   string
		text  string
	}{
		"answer":             {frame: `{"jsonrpc":"2.0","id":` + id + `,"result":42}`, id: id, sub: "42"},
		"answer with spaces": {frame: `{"jsonrpc": "2.0", "result": 42, "id": ` + id + `}`, id: id, sub: "42"},
		"answer of text":     {frame: `{"jsonrpc":"2.0","id":` + id + `,"result":"x"}`, id: id, sub: "x"},
		"refusal":            {frame: `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-1,"message":"no"}}`, id: id, want: sight{failure: "refused -1"}},
		"data": {frame: `{"jsonrpc":"2.0","method":"m","params":{"subscription":42,"result":{"type":"data","content":{"a":1}}}}`,
			sub: "42", text: `{"a":1}}}}`, want: sight{item: "data"}},
		"data in another order": {frame: `{"jsonrpc":"2.0","method":"m","params":{"result":{"content":{"a":1},"type":"data"},"subscription":"42"}}`,
			sub: "42", text: `{"a":1}`, want: sight{item: "data"}},
		"data with content far away": {frame: `{"jsonrpc":"2.0","method":"m","params":{"subscription":42,"result":{"type":"data","x":"` + strings.Repeat("x", mostBeginning) + `","content":1}}}`,
			sub: "42", text: "1", want: sight{item: "data"}},
		"done":  {frame: `{"jsonrpc":"2.0","method":"m","params":{"subscription":42,"result":{"type":"done","metadata":{}}}}`, sub: "42", want: sight{item: "done"}},
		"error": {frame: `{"jsonrpc":"2.0","method":"m","params":{"subscription":42,"result":{"type":"error","code":"-2","recoverable":true}}}`, sub: "42", want: sight{item: "error", failure: "stream error -2", recoverable: true}},
		"other": {frame: `{"jsonrpc":"2.0","method":"m"}`},
	}
	for name, c := range cases {
		got, err := look([]byte(c.frame))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if string(got.id) != c.id || (got.id != nil) != (c.id != "") || string(got.subscription) != c.sub || string(got.content) != c.text ||
			got.item != c.want.item || got.failure != c.want.failure || got.recoverable != c.want.recoverable {
			t.Errorf("%s: seen as %+v", name, got)
		}
	}
	for _, frame := range []string{"", "what?", "[]", `{"jsonrpc":"2.0","id":1,"result":42`} {
		if got, err := look([]byte(frame)); err == nil {
			t.Errorf("%q is seen as %+v", frame, got)
		}
	}
}

// Whatever a hub sends must do no more than fail.
func FuzzLook(f *testing.F) {
	for _, frame := range append(good("1111111000000001"), "{}", `{"jsonrpc":"2.0","method":"m","params":{"subscription":1,"result":{"type":"data",`) {
		f.Add([]byte(frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		s, err := look(frame)
		if err == nil {
			contentFailure(s.content)
		}
		if echoes, err := newEchoes([]byte("1111111000000001"), [][]byte{frame}); err == nil {
			for _, e := range echoes {
				for _, at := range e.ids {
					if at[0] < 0 || at[0] > at[1] || at[1] > len(e.frame) || at[1]-at[0] > idDigits {
						t.Errorf("%q has an id at %v", e.frame, at)
					}
				}
			}
		}
	})
}
