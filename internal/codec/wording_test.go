// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

type source string

func (source) Enum() []plugin.Choice {
	return []plugin.Choice{{Value: "auto"}, {Value: "manual"}, {Value: "file"}}
}

type yesOrNo string

func (yesOrNo) Enum() []plugin.Choice { return []plugin.Choice{{Value: "yes"}, {Value: "no"}} }

func TestErrorsOfParameters(t *testing.T) {
	type point struct {
		X int32  `json:"x"`
		Y []bool `json:"y,omitempty"`
	}
	long := strings.Repeat("é", 100)
	for _, test := range []struct {
		name   string
		method plugin.Method
		raw    string
		want   string // without "Invalid params: "
	}{
		{"too small for 8 bits", methodOf[struct{ N int8 }](), `-129`, "N: invalid value: integer `-129`, expected i8"},
		{"too large for 64 bits", methodOf[struct{ N int64 }](), `9223372036854775808`, "N: invalid value: integer `9223372036854775808`, expected i64"},
		{"negative for unsigned", methodOf[struct{ N uint64 }](), `-1`, "N: invalid value: integer `-1`, expected u64"},
		{"a number beyond a float", methodOf[struct{ N float32 }](), `1e39`, "N: invalid value: floating point `1e39`, expected f32"},
		{"an integer beyond a float", methodOf[struct{ N float32 }](), `1` + strings.Repeat("0", 39), "N: invalid value: integer `1" + strings.Repeat("0", 39) + "`, expected f32"},
		{"an exponent for an integer", methodOf[struct{ N uint32 }](), `1e3`, "N: invalid type: floating point `1e3`, expected u32"},
		{"a string for a number", methodOf[struct{ N float64 }](), `"x"`, "N: invalid type: string \"x\", expected f64"},
		{"a number for a boolean", methodOf[struct{ B bool }](), `1`, "B: invalid type: integer `1`, expected a boolean"},
		{"an object for a string", methodOf[struct{ S *string }](), `{"S":{}}`, "S: invalid type: map, expected a string"},
		{"a string for a list", methodOf[struct{ L []string }](), `"x"`, "L: invalid type: string \"x\", expected a sequence"},
		{"null for a list", methodOf[struct{ L []string }](), `{"L":null}`, "L: invalid type: null, expected a sequence"},
		{"null for a map", methodOf[struct{ M map[string]int }](), `{"M":null}`, "M: invalid type: null, expected a map"},
		{"a list for a map", methodOf[struct{ M map[string]int }](), `{"M":[]}`, "M: invalid type: sequence, expected a map"},
		{"an element of a list", methodOf[struct{ L []uint16 }](), `{"L":[1,70000]}`, "L[1]: invalid value: integer `70000`, expected u16"},
		{"another type of element", methodOf[struct{ L []string }](), `{"L":["a",true]}`, "L[1]: invalid type: boolean `true`, expected a string"},
		{"a value of a map", methodOf[struct{ M map[string]int }](), `{"M":{"a":"b"}}`, "M.a: invalid type: string \"b\", expected i64"},
		{"a member of a struct", methodOf[struct{ P point }](), `{"P":{"x":1.5}}`, "P.x: invalid type: floating point `1.5`, expected i32"},
		{"deep within", methodOf[struct{ P *point }](), `{"P":{"x":1,"y":[false,{}]}}`, "P.y[1]: invalid type: map, expected a boolean"},
		{"a number for a struct", methodOf[struct{ P point }](), `{"P":5}`, "P: invalid type: integer `5`, expected point"},
		{"no date", methodOf[struct{ T time.Time }](), `"x"`, "T: invalid value: string \"x\", expected a date-time (RFC 3339)"},
		{"a number for a date", methodOf[struct{ T time.Time }](), `5`, "T: invalid type: integer `5`, expected a date-time (RFC 3339)"},
		{"no base64", methodOf[struct{ B []byte }](), `{"B":"!"}`, "B: invalid value: string \"!\", expected a string of base64"},
		{"one of three", methodOf[struct{ S source }](), `"x"`, "S: unknown variant `x`, expected one of `auto`, `manual`, `file`"},
		{"one of two", methodOf[struct{ S *yesOrNo }](), `"Yes"`, "S: unknown variant `Yes`, expected `yes` or `no`"},
		{"one of a list", methodOf[struct{ S []yesOrNo }](), `{"S":["yes","x"]}`, "S[1]: unknown variant `x`, expected `yes` or `no`"},
		{"a number for one of three", methodOf[struct{ S source }](), `{"S":1}`, "S: invalid type: integer `1`, expected a string"},
		{"null for one of three", methodOf[struct{ S source }](), `{"S":null}`, "S: invalid type: null, expected a string"},
		{"a type of its own", methodOf[struct{ O object }](), `{"O":[1]}`, "O: invalid type: sequence, expected a map"},
		{"a long value, shortened", methodOf[struct{ N int }](), `"` + long + `"`, "N: invalid type: string \"" + long[:64] + "…\", expected i64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, err := test.method.Bind([]byte(test.raw), false)
			var bad *plugin.Error
			if !errors.As(err, &bad) {
				t.Fatalf("bound to %+v, error %v, want an Error", in, err)
			}
			if got := strings.TrimPrefix(err.Error(), "Invalid params: "); got != test.want {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestEnumerationTakesWhatItLists(t *testing.T) {
	type params struct {
		One  source   `json:"one"`
		Some []source `json:"some,omitempty"`
		May  *source  `json:"may"`
	}
	got, err := bindAs[params](`{"one":"auto","some":["file","manual"],"may":"aut\u006f"}`, false)
	if err != nil || got.One != "auto" || len(got.Some) != 2 || got.Some[1] != "manual" || *got.May != "auto" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDetailSaysWhere(t *testing.T) {
	for _, test := range []struct {
		name       string
		raw        string
		positional bool
		want       string
	}{
		{"a missing field, at the end", `{"name":"a"}`, false, "missing field `host` at line 1 column 12"},
		{"a missing field, on a later line", "{\n \"name\":\"a\"\n}", false, "missing field `host` at line 3 column 1"},
		{"a value, by name", `{"name":"a","host":"h","port":70000}`, false, "port: invalid value: integer `70000`, expected u16 at line 1 column 35"},
		{"a value, on a later line", "{\"name\":\"a\",\"host\":\"h\",\n  \"port\":70000}", false, "port: invalid value: integer `70000`, expected u16 at line 2 column 14"},
		{"a value by position, read alone", `["a",  "h", 70000]`, true, "port: invalid value: integer `70000`, expected u16 at line 1 column 5"},
		{"a value by position, on a later line", "[\n\"a\",\n\"h\",\n70000]", true, "port: invalid value: integer `70000`, expected u16 at line 1 column 5"},
		{"too few by position", `["a"]`, true, "No more params"},
		{"no object at all", absent, false, "expected object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := bindAs[registerParams](test.raw, test.positional)
			var bad *plugin.Error
			if !errors.As(err, &bad) {
				t.Fatalf("error %v, want an Error", err)
			}
			if got := bad.Detail(); got != test.want {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}
