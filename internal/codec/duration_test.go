// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"math"
	"testing"
	"time"

	"github.com/plexus-go/plexus/internal/codec"
)

type waitParams struct {
	For time.Duration `json:"for"`
}

// TestDurationIsReadInBothSpellings and written in that of ISO 8601, which is
// read again as the same.
func TestDurationIsReadInBothSpellings(t *testing.T) {
	for _, test := range []struct {
		text string
		want time.Duration
		iso  string
	}{
		{"90s", 90 * time.Second, "PT1M30S"},
		{"PT1M30S", 90 * time.Second, "PT1M30S"},
		{"PT90S", 90 * time.Second, "PT1M30S"},
		{"1h30m", 90 * time.Minute, "PT1H30M"},
		{"PT1H30M", 90 * time.Minute, "PT1H30M"},
		{"1.5s", 1500 * time.Millisecond, "PT1.5S"},
		{"PT1.5S", 1500 * time.Millisecond, "PT1.5S"},
		{"0", 0, "PT0S"},
		{"0s", 0, "PT0S"},
		{"PT0S", 0, "PT0S"},
		{"-1m", -time.Minute, "-PT1M"},
		{"-PT1M", -time.Minute, "-PT1M"},
		{"1ns", 1, "PT0.000000001S"},
		{"P1D", 24 * time.Hour, "PT24H"},
		{"P1W2DT3M", (9*24*60 + 3) * time.Minute, "PT216H3M"},
		{"1h0m1s", time.Hour + time.Second, "PT1H1S"},
	} {
		got, err := bindAs[waitParams](`{"for":"`+test.text+`"}`, false)
		if err != nil || got.For != test.want {
			t.Errorf("%s is read as %v, %v", test.text, got.For, err)
		}
		text, err := codec.AppendJSON(nil, test.want)
		if err != nil || string(text) != `"`+test.iso+`"` {
			t.Errorf("%v is written as %s, %v, want %s", test.want, text, err, test.iso)
		}
	}
	for _, d := range []time.Duration{math.MaxInt64, math.MinInt64, 1, 999, 24 * time.Hour, 1<<40 + 7} {
		text, err := codec.AppendJSON(nil, waitParams{d})
		if err != nil {
			t.Errorf("%v: %v", d, err)
			continue
		}
		if back, err := bindAs[waitParams](string(text), false); err != nil || back.For != d {
			t.Errorf("%v is written as %s and read as %v, %v", d, text, back.For, err)
		}
	}
}

func TestDurationsWithinContents(t *testing.T) {
	type all struct {
		One  time.Duration            `json:"one"`
		None *time.Duration           `json:"none"`
		Left time.Duration            `json:"left,omitzero"`
		Many []time.Duration          `json:"many"`
		By   map[string]time.Duration `json:"by"`
	}
	text, err := codec.AppendJSON(nil, all{One: time.Second, Many: []time.Duration{1e9, 6e10}, By: map[string]time.Duration{"x": time.Hour}})
	if want := `{"one":"PT1S","none":null,"many":["PT1S","PT1M"],"by":{"x":"PT1H"}}`; err != nil || string(text) != want {
		t.Errorf("got  %s, %v\nwant %s", text, err, want)
	}
	got, err := bindAs[all](`{"one":"1s","none":"PT2S","left":"3s","many":["PT4S","5s"],"by":{"x":"6s"}}`, false)
	if err != nil || got.One != 1e9 || *got.None != 2e9 || got.Left != 3e9 || got.Many[0] != 4e9 || got.Many[1] != 5e9 || got.By["x"] != 6e9 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestInvalidDurations(t *testing.T) {
	const expected = ", expected a duration, such as 90s or PT1M30S"
	for _, test := range []struct{ value, want string }{
		{`"soon"`, `for: invalid value: string "soon"` + expected},
		{`""`, `for: invalid value: string ""` + expected},
		{`"90"`, `for: invalid value: string "90"` + expected},
		{`"PT"`, `for: invalid value: string "PT"` + expected},
		{`"P1Y"`, `for: invalid value: string "P1Y"` + expected}, // how long is a year?
		{`"99999999h"`, `for: invalid value: string "99999999h"` + expected},
		{`"PT99999999H"`, `for: invalid value: string "PT99999999H"` + expected},
		{`"P"`, `for: invalid value: string "P"` + expected},
		{`"P1DT"`, `for: invalid value: string "P1DT"` + expected},
		{`"-"`, `for: invalid value: string "-"` + expected},
		{`"P99999999999999999999D"`, `for: invalid value: string "P99999999999999999999D"` + expected},
		{`90`, "for: invalid type: integer `90`" + expected},
		{`1.5`, "for: invalid type: floating point `1.5`" + expected},
		{`true`, "for: invalid type: boolean `true`" + expected},
		{`null`, "for: invalid type: null" + expected},
		{`["90s"]`, "for: invalid type: sequence" + expected},
		{`{"s":90}`, "for: invalid type: map" + expected},
	} {
		_, err := bindAs[waitParams](`{"for":`+test.value+`}`, false)
		if got := reasonOf(err); got != test.want {
			t.Errorf("%s: got  %s\nwant %s", test.value, got, test.want)
		}
	}
}

// TestDefaultOfADuration may be written in both forms; the schema shows ISO 8601.
func TestDefaultOfADuration(t *testing.T) {
	type params struct {
		Within time.Duration  `json:"within,omitzero" default:"90s"`
		Every  *time.Duration `json:"every" default:"\"PT1H\""`
		After  *time.Duration `json:"after"`
	}
	got, err := bindAs[params](`{}`, false)
	if err != nil || got.Within != 90*time.Second || got.Every == nil || *got.Every != time.Hour || got.After != nil {
		t.Errorf("%+v, %v", got, err)
	}
	s := parsed(methodOf[params]().Schema().Params)
	for name, want := range map[string]string{"within": `"PT1M30S"`, "every": `"PT1H"`, "after": `null`} {
		p := s.Properties[name]
		if string(p.Default) != want || p.Format != "duration" {
			t.Errorf("%s: default %s, format %s; want %s", name, p.Default, p.Format, want)
		}
	}
}

// FuzzDuration: what is accepted is written in a form that is read as the same.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"", "90s", "PT1M30S", "-P1W2DT3.000000001S", "P106752D", "1h-1m", "+5s", ".5s", "PT.5S"} {
		f.Add(seed)
	}
	m := methodOf[waitParams]()
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := codec.AppendJSON(nil, map[string]string{"for": text})
		if err != nil {
			return // not UTF-8
		}
		in, err := m.Bind(raw, false)
		if err != nil {
			return
		}
		d := in.(*waitParams).For
		written, err := codec.AppendJSON(nil, in)
		if err != nil {
			t.Fatalf("%q is %v, which can't be written: %v", text, d, err)
		}
		if again, err := m.Bind(written, false); err != nil || again.(*waitParams).For != d {
			t.Fatalf("%q is %v, written as %s, read as %v, %v", text, d, written, again, err)
		}
	})
}
