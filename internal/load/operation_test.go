// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/wire"
)

func TestBlends(t *testing.T) {
	for _, o := range Operations() {
		blend := o.blend()
		total := 0
		for _, s := range blend {
			total += s.percent
		}
		if total != 100 || len(blend) > 10 { // an id has one digit for it
			t.Errorf("%s is made of %v", o, blend)
		}
		const draws = 100_000
		random := rand.New(rand.NewPCG(1, 2))
		drawn := make([]int, len(blend))
		for range draws {
			drawn[pick(blend, random)]++
		}
		for i, s := range blend {
			if got := float64(drawn[i]) * 100 / draws; got < float64(s.percent)-1 || got > float64(s.percent)+1 {
				t.Errorf("%s has %.1f %% %s, not %d", o, got, s.Operation, s.percent)
			}
		}
	}
	if Operation("other").blend() != nil {
		t.Error("an unknown operation has a blend")
	}
}

func TestRequestsAreWellFormed(t *testing.T) {
	b := &backends{prefix: "bench-0badcafe-", n: 1000}
	for _, o := range []Operation{Get, List, Ping, Register, Info} {
		r := newRequest(o, `a "hub"`, b)
		length := len(r.frame)
		own := r.clone()
		own.fill(newID(3, 12_345, 999), 123)
		m := wire.Parse(own.frame, wire.MaxDepth)
		if m.Request.Err != nil || string(m.Request.IDText) != "1111111323450999" || len(own.frame) != length {
			t.Errorf("%s: %s: %v", o, own.frame, m.Request.Err)
		}
		about := strings.Contains(string(own.frame), `"bench-0badcafe-000123"`)
		if want := o != List && o != Info; about != want {
			t.Errorf("%s: %s", o, own.frame)
		}
		if strings.Contains(string(r.frame), "000123") {
			t.Errorf("%s: a clone is written through", o)
		}
	}
}

// The schedule goes on from load to load: together, the connections send each
// operation once, at its time.
func TestSchedule(t *testing.T) {
	s := &subject{rate: 333, share: 4}
	for turn := range 7 {
		const length = 100 * time.Millisecond
		s.scheduled = time.Duration(turn) * length
		seen := map[int64]bool{}
		for i := range s.share {
			c := &connection{subject: s, index: i}
			for n := c.first(); s.time(n) < s.scheduled+length; n += int64(s.share) {
				if seen[n] || s.time(n) < s.scheduled {
					t.Errorf("turn %d, connection %d: operation %d is due at %v", turn, i, n, s.time(n))
				}
				seen[n] = true
			}
		}
		for n := int64(0); n < 300; n++ {
			if due := s.time(n); seen[n] != (due >= s.scheduled && due < s.scheduled+length) {
				t.Errorf("turn %d: operation %d, due at %v, is there: %v", turn, n, due, seen[n])
			}
		}
	}
}

func TestEchoes(t *testing.T) {
	const id = "1111111000000001"
	cases := map[string]struct {
		subscription, want string
	}{
		"as long as an id": {"1275710172627390", "1111111234567890"},
		"shorter":          {"275710172627390", "111111234567890"},
		"far too short":    {"7", "1234567890"},
		"text":             {`"0f4c5f0e-53a2-4f3e-bb0c-7a2e"`, `"1111111111111111111234567890"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			frames := [][]byte{
				[]byte(`{"jsonrpc":"2.0","id":` + id + `,"result":` + c.subscription + `}`),
				[]byte(`{"jsonrpc":"2.0","method":"m","params":{"subscription":` + c.subscription + `,"result":{"type":"data","content":7}}}`),
				[]byte(`{"jsonrpc":"2.0","method":"m","params":{"subscription":` + c.subscription + `,"result":{"type":"done"}}}`),
			}
			echoes, err := newEchoes([]byte(id), frames)
			if err != nil {
				t.Fatal(err)
			}
			const sent = "1111111234567890"
			for i, e := range echoes {
				for _, at := range e.ids {
					copy(e.frame[at[0]:at[1]], sent[idDigits-(at[1]-at[0]):])
				}
				want := strings.ReplaceAll(string(frames[i]), c.subscription, c.want)
				if name == "far too short" { // a 7 is elsewhere too
					want = strings.Replace(string(frames[i]), ":7", ":"+c.want, 1)
				}
				want = strings.ReplaceAll(want, id, sent)
				if string(e.frame) != want {
					t.Errorf("frame %d is %s, not %s", i, e.frame, want)
				}
			}
		})
	}
	for _, frame := range []string{`{"jsonrpc":"2.0","id":"7","result":1}`, `{"id":` + id + `,"result":""}`, fakeItem, `what?`} {
		if echoes, err := newEchoes([]byte(id), [][]byte{[]byte(frame)}); err == nil {
			t.Errorf("%s has the echo %s", frame, echoes[0].frame)
		}
	}
}
