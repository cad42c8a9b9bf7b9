// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/plexus-go/plexus/internal/testkit"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/plugintest"
	"github.com/plexus-go/plexus/transport/client"
)

type size string

func (size) Enum() []plugin.Choice { return []plugin.Choice{{Value: "small"}, {Value: "large"}} }

type shape struct {
	plugin.Union `discriminator:"kind"`
	Circle       *circle `tag:"circle"`
	Group        *group  `tag:"group"`
}

type circle struct {
	Radius float64       `json:"radius"`
	Turn   time.Duration `json:"turn"`
}

type group struct {
	Members []shape `json:"members"`
}

// celsius has a JSON form of its own.
type celsius struct{ degrees int }

func (c celsius) MarshalJSON() ([]byte, error) { return json.Marshal([]int{c.degrees}) }

func (c *celsius) UnmarshalJSON(text []byte) error {
	list := []*int{&c.degrees}
	return json.Unmarshal(text, &list)
}

func (celsius) JSONSchema() json.RawMessage {
	return json.RawMessage(`{"type":"array","items":{"type":"integer"}}`)
}

type tree struct {
	Name  string `json:"name"`
	Below []tree `json:"below"`
}

type Base struct {
	ID uuid.UUID `json:"id"`
}

type derived struct {
	Base
	More *time.Duration `json:"more"`
}

// holding is how the matrix holds a value: alone, and within everything that
// can hold one.
type holding[T any] struct {
	One   T            `json:"one"`
	May   *T           `json:"may"`
	List  []T          `json:"list"`
	Pair  [2]T         `json:"pair"`
	ByKey map[string]T `json:"by_key"`
	In    struct {
		Inner T `json:"inner"`
	} `json:"in"`
	Lists [][]T `json:"lists,omitempty"`
	Left  *T    `json:"left,omitzero"`
}

func held[T any](values []T) []holding[T] {
	all := []holding[T]{}
	for i := range values {
		v := values[i]
		h := holding[T]{One: v, May: &v, List: values, Pair: [2]T{v, values[0]}, ByKey: map[string]T{"a": v, "": v}, Lists: [][]T{{}, values}}
		h.In.Inner = v
		all = append(all, h)
		h.May, h.Lists, h.List, h.ByKey = nil, nil, []T{}, map[string]T{}
		all = append(all, h)
	}
	return all
}

// sameBothWays sends values as parameters, alone and held, and gets them back,
// through a socket and through plugintest.
func sameBothWays[T any](values ...T) func(t *testing.T) {
	type params struct {
		V T `json:"v"`
	}
	type heldParams struct {
		V holding[T] `json:"v"`
	}
	kinds := plugin.Definition{Namespace: "kinds", Version: "1.0.0", Methods: []plugin.Method{
		plugin.Unary("one", "", func(_ context.Context, in params) (T, error) { return in.V, nil }),
		plugin.Unary("held", "", func(_ context.Context, in heldParams) (holding[T], error) { return in.V, nil }),
		plugin.Stream("each", "", func(_ context.Context, in heldParams) iter.Seq2[T, error] {
			return func(yield func(T, error) bool) {
				for _, v := range in.V.List {
					if !yield(v, nil) {
						return
					}
				}
			}
		}),
	}}
	return func(t *testing.T) {
		ctx := testkit.Context(t)
		c, local := dial(t, start(t, kinds)), plugintest.New(t, kinds)
		for _, v := range values {
			got, err := client.CallOne[T](ctx, c, "kinds.one", params{v})
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("sent %+v, got %+v, %v", v, got, err)
			}
			if got := plugintest.One[T](local, "kinds.one", params{v}); !reflect.DeepEqual(got, v) {
				t.Errorf("plugintest: sent %+v, got %+v", v, got)
			}
		}
		for _, v := range held(values) {
			got, err := client.CallOne[holding[T]](ctx, c, "kinds.held", heldParams{v})
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("sent\n%+v, got\n%+v, %v", v, got, err)
			}
			if got := plugintest.One[holding[T]](local, "kinds.held", &heldParams{v}); !reflect.DeepEqual(got, v) {
				t.Errorf("plugintest: sent\n%+v, got\n%+v", v, got)
			}
			list := []T{}
			for item, err := range c.Call(ctx, "kinds.each", heldParams{v}) {
				if err != nil {
					t.Fatal(err)
				}
				var each T
				if err := item.Decode(&each); err != nil {
					t.Fatal(err)
				}
				list = append(list, each)
			}
			if !reflect.DeepEqual(list, v.List) {
				t.Errorf("streamed %+v of %+v", list, v.List)
			}
		}
	}
}

// TestEveryTypeBothWays is the matrix of the types that methods may have.
func TestEveryTypeBothWays(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	hour := time.Hour
	for name, test := range map[string]func(t *testing.T){
		"bool":           sameBothWays(true, false),
		"string":         sameBothWays("a", "", "é \"\\\n\u2028<&>\x00", "null"),
		"named string":   sameBothWays(label("a")),
		"int":            sameBothWays(1, 0, math.MinInt64, math.MaxInt64),
		"int8":           sameBothWays[int8](-128, 127),
		"int64":          sameBothWays[int64](1<<53+1, -1),
		"uint8":          sameBothWays[uint8](0, 255),
		"uint16":         sameBothWays[uint16](65535),
		"uint64":         sameBothWays[uint64](math.MaxUint64),
		"float32":        sameBothWays[float32](0.1, -1e30),
		"float64":        sameBothWays(0.1, 1e300, 0, -2.5),
		"time":           sameBothWays(when, time.Time{}),
		"duration":       sameBothWays(90*time.Second, 0, -1, math.MaxInt64),
		"bytes":          sameBothWays([]byte{0, 255}, []byte{}),
		"array of bytes": sameBothWays([3]byte{1, 2, 3}),
		"enumeration":    sameBothWays[size]("small", "large"),
		"union": sameBothWays(shape{Circle: &circle{2, time.Minute}},
			shape{Group: &group{[]shape{{Circle: &circle{}}, {Group: &group{[]shape{}}}}}}),
		"pointer":          sameBothWays(&hour),
		"text":             sameBothWays(netip.MustParseAddr("fe80::1%eth0"), netip.Addr{}),
		"uuid":             sameBothWays(uuid.NameSpaceOID),
		"own JSON":         sameBothWays(celsius{20}),
		"handle":           sameBothWays(plugin.Handle{PluginID: uuid.NameSpaceOID, Version: "1.0.0", Method: "m", Meta: []string{"a:b"}}),
		"list":             sameBothWays([]time.Duration{1, 2}, []time.Duration{}),
		"map":              sameBothWays(map[string]shape{"a": {Circle: &circle{}}}),
		"named keys":       sameBothWays(map[size]time.Duration{"small": 1}),
		"recursive":        sameBothWays(tree{"a", []tree{{"b", []tree{}}}}),
		"embedded":         sameBothWays(derived{Base{uuid.NameSpaceDNS}, &hour}, derived{}),
		"struct":           sameBothWays(circle{1, time.Hour}),
		"any":              sameBothWays[any]("a", 1.5, true, []any{map[string]any{"x": nil}}),
		"raw JSON":         sameBothWays(json.RawMessage(`{"a":[1,null]}`), json.RawMessage(`1.50`), json.RawMessage(`"x"`)),
		"number":           sameBothWays(json.Number("1.50"), json.Number("12345678901234567890")),
		"named bytes":      sameBothWays(blob{1, 2}),
		"of a named byte":  sameBothWays([]octet{1, 2}),
		"array of these":   sameBothWays([2]octet{1, 2}),
		"lists of bytes":   sameBothWays([][]byte{{1}, {}}),
		"empty array":      sameBothWays([0]string{}),
		"nothing":          sameBothWays(struct{}{}),
		"pointers":         sameBothWays(new(&hour)),
		"list of pointers": sameBothWays([]*shape{{Circle: &circle{}}}),
		"named duration":   sameBothWays(patience(time.Hour)),
		"month":            sameBothWays(time.May),
		"map of numbers":   sameBothWays(map[string]json.Number{"a": "1e400"}),
		"raw members":      sameBothWays(map[string]json.RawMessage{"a": json.RawMessage(`[1]`)}),
		"map of anything":  sameBothWays(map[string]any{"a": nil, "b": 1.5}),
		"array of any":     sameBothWays([2]any{"a", nil}),
		"generic":          sameBothWays(page[time.Duration]{Items: []time.Duration{1}, Next: &page[time.Duration]{Items: []time.Duration{}}}),
		"left out":         sameBothWays(leaving{}, leaving{1, true, "a", time.Second, []string{"a"}, map[string]int{"a": 0}, &hour, shape{Circle: &circle{}}, when, circle{}, "2"}),
		"text both ways":   sameBothWays(point{1, 2}),
	} {
		t.Run(name, test)
	}
}

type (
	blob     []byte
	octet    byte
	patience time.Duration
)

type page[T any] struct {
	Items []T      `json:"items"`
	Next  *page[T] `json:"next"`
}

// leaving leaves everything out that is zero.
type leaving struct {
	Int      int            `json:"int,omitempty"`
	Bool     bool           `json:"bool,omitempty"`
	Text     string         `json:"text,omitempty"`
	Duration time.Duration  `json:"duration,omitempty"`
	List     []string       `json:"list,omitempty"`
	Map      map[string]int `json:"map,omitempty"`
	Pointer  *time.Duration `json:"pointer,omitempty"`
	Union    shape          `json:"union,omitzero"`
	Time     time.Time      `json:"time,omitzero"`
	Struct   circle         `json:"struct,omitempty"`
	Number   json.Number    `json:"number,omitempty"`
}

// point has a text form.
type point struct{ x, y int }

func (p point) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d/%d", p.x, p.y), nil }

func (p *point) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d/%d", &p.x, &p.y)
	return err
}

// TestParametersOfOtherTypes sends what is not the method's own type.
func TestParametersOfOtherTypes(t *testing.T) {
	type params struct {
		Count *int            `json:"count"`
		Names []string        `json:"names"`
		More  json.RawMessage `json:"more,omitzero"`
	}
	show := plugin.Unary("show", "", func(_ context.Context, in params) (map[string]any, error) {
		return map[string]any{"count": in.Count, "names": in.Names, "more": in.More}, nil
	})
	kinds := plugin.Definition{Namespace: "kinds", Version: "1.0.0", Methods: []plugin.Method{show}}
	c, local := dial(t, start(t, kinds)), plugintest.New(t, kinds)
	type whole struct {
		Count int            `json:"count,omitempty"`
		Names []string       `json:"names"`
		More  map[string]any `json:"more,omitempty"`
	}
	for _, test := range []struct {
		params any
		want   string
	}{
		{whole{}, `{"count":null,"more":null,"names":[]}`},
		{&whole{1, []string{"a"}, map[string]any{"x": nil}}, `{"count":1,"more":{"x":null},"names":["a"]}`},
		{map[string]any{"names": []string(nil), "count": json.Number("7"), "more": json.RawMessage(`{ "b" : 1 }`)}, `{"count":7,"more":{"b":1},"names":[]}`},
		{json.RawMessage(`{"names":["<&>"],"more":"<"}`), `{"count":null,"more":"<","names":["<&>"]}`},
		{map[string]any{"names": []any{}, "more": map[string]any{"for": time.Minute, "is": size("small")}}, `{"count":null,"more":{"for":"PT1M","is":"small"},"names":[]}`},
	} {
		got, err := client.CallOne[json.RawMessage](testkit.Context(t), c, "kinds.show", test.params)
		if err != nil || string(got) != test.want {
			t.Errorf("%+v: got %s, %v, want %s", test.params, got, err, test.want)
		}
		if got := plugintest.One[json.RawMessage](local, "kinds.show", test.params); string(got) != test.want {
			t.Errorf("plugintest, %+v: got %s, want %s", test.params, got, test.want)
		}
	}
	for _, params := range []any{make(chan int), math.NaN(), json.RawMessage(`{`), shape{}} {
		if _, err := client.CallOne[any](testkit.Context(t), c, "kinds.show", params); err == nil || callFailed(err, err, false, true) || answered(err, 0) {
			t.Errorf("%T: %v", params, err)
		}
	}
}

type deadline struct {
	Within time.Duration `json:"within"`
	Shape  shape         `json:"shape"`
}

// TestQuestionsOfEveryType: custom ones and their answers are encoded as
// parameters are.
func TestQuestionsOfEveryType(t *testing.T) {
	kinds := plugin.Definition{Namespace: "kinds", Version: "1.0.0", Methods: []plugin.Method{
		plugin.Unary("ask", "", func(ctx context.Context, _ plugin.None) (deadline, error) {
			return plugin.Ask(ctx, plugin.Custom[deadline, deadline]{Data: deadline{time.Minute, shape{Circle: &circle{1, time.Hour}}}})
		}, plugin.BidirectionalOf[deadline, deadline]()),
	}}
	want := deadline{2 * time.Minute, shape{Group: &group{[]shape{}}}}
	c := dial(t, start(t, kinds), client.WithAnswers(func(_ context.Context, q client.Question) (any, error) {
		var asked deadline
		if err := q.Decode(&asked); err != nil || asked.Within != time.Minute || asked.Shape.Circle == nil || asked.Shape.Circle.Turn != time.Hour {
			t.Errorf("asked %s: %+v, %v", q.Data, asked, err)
		}
		return want, nil
	}))
	if got, err := client.CallOne[deadline](testkit.Context(t), c, "kinds.ask", nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	local := plugintest.New(t, kinds)
	local.Answer(want)
	if got := plugintest.One[deadline](local, "kinds.ask", nil); !reflect.DeepEqual(got, want) {
		t.Errorf("plugintest: got %+v", got)
	}
}

// label is a string with a name.
type label string
