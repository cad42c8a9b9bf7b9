// SPDX-License-Identifier: AGPL-3.0-only

package codec_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

// registerParams have the shape of what the recorded registry's register takes.
type registerParams struct {
	Name     string  `json:"name"`
	Host     string  `json:"host"`
	Port     uint16  `json:"port"`
	Protocol *string `json:"protocol"`
}

type nameParams struct {
	Name string `json:"name"`
}

type listParams struct {
	ActiveOnly *bool `json:"active_only"`
}

// methodOf makes a method for the sake of its parameters.
func methodOf[In any]() plugin.Method {
	return plugin.Unary("m", "A method", func(context.Context, In) (plugin.None, error) { return plugin.None{}, nil })
}

func bindAs[In any](raw string, positional bool) (In, error) {
	var params []byte
	if raw != absent {
		params = []byte(raw)
	}
	in, err := methodOf[In]().Bind(params, positional)
	if err != nil {
		var none In
		return none, err
	}
	return *in.(*In), nil
}

// absent stands for parameters that were not given.
const absent = "<absent>"

func ptr[T any](v T) *T { return &v }

func TestBindAccepts(t *testing.T) {
	plain, secure := &registerParams{"a", "h", 1, nil}, &registerParams{"a", "h", 1, ptr("wss")}
	for _, test := range []struct {
		name, raw string
		// What a call binds to, nil for a refusal.
		byName, byPosition *registerParams
	}{
		{"an object", `{"name":"a","host":"h","port":1,"protocol":"wss"}`, secure, secure},
		{"members in any order, with space", " { \"port\" : 1,\n\"host\":\t\"h\", \"name\":\"a\" } ", plain, plain},
		{"an explicit null as absent", `{"name":"a","host":"h","port":1,"protocol":null}`, plain, plain},
		{"an unknown member, ignored", `{"name":"a","host":"h","port":1,"bogus":{"name":"b"}}`, plain, plain},
		{"a member of another case, ignored", `{"name":"a","host":"h","port":1,"Name":"b","PORT":2}`, plain, plain},
		{"a name with escapes", `{"\u006eame":"a","ho\u0073t":"h","port":1}`, plain, plain},
		{"a value with escapes", `{"name":"\u00e9\n\"","host":"h","port":1}`, &registerParams{"é\n\"", "h", 1, nil}, &registerParams{"é\n\"", "h", 1, nil}},
		{"an array, by position only", `["a","h",1,"wss"]`, nil, secure},
		{"an array without the optional last", `["a","h",1]`, nil, plain},
		{"an array with null for the optional last", `["a","h",1,null]`, nil, plain},
		{"an array with more than there are parameters", `["a","h",1,"wss",5,{}]`, nil, secure},
		{"an array without the required last", `["a","h"]`, nil, nil},
		{"no value where several are required", `"a"`, nil, nil},
		{"the largest number", `{"name":"a","host":"h","port":65535}`, &registerParams{"a", "h", 65535, nil}, &registerParams{"a", "h", 65535, nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for positional, want := range map[bool]*registerParams{false: test.byName, true: test.byPosition} {
				got, err := bindAs[registerParams](test.raw, positional)
				if (err == nil) != (want != nil) || want != nil && !reflect.DeepEqual(got, *want) {
					t.Errorf("positional %v: bound to %+v, %v, want %+v", positional, got, err, want)
				}
			}
		})
	}
}

func TestABareValueIsTheFirstParameter(t *testing.T) {
	type oneAndOptional struct {
		Name  string  `json:"name"`
		Extra *string `json:"extra"`
	}
	for _, positional := range []bool{false, true} {
		if got, err := bindAs[nameParams](`"alpha"`, positional); err != nil || got.Name != "alpha" {
			t.Errorf("positional %v: a bare string: %+v, %v", positional, got, err)
		}
		if got, err := bindAs[oneAndOptional](`"alpha"`, positional); err != nil || got.Name != "alpha" || got.Extra != nil {
			t.Errorf("positional %v: a bare string, and an optional one left: %+v, %v", positional, got, err)
		}
		if got, err := bindAs[listParams](`true`, positional); err != nil || got.ActiveOnly == nil || !*got.ActiveOnly {
			t.Errorf("positional %v: a bare boolean for an optional one: %+v, %v", positional, got, err)
		}
	}
	type items struct {
		Items []int `json:"items"`
	}
	if got, err := bindAs[items](`[1,2]`, false); err != nil || !reflect.DeepEqual(got.Items, []int{1, 2}) {
		t.Errorf("a bare array: %+v, %v", got, err)
	}
	if got, err := bindAs[items](`[[1,2]]`, true); err != nil || !reflect.DeepEqual(got.Items, []int{1, 2}) {
		t.Errorf("an array by position: %+v, %v", got, err)
	}
}

func TestOptionalParametersMayBeAbsent(t *testing.T) {
	for _, raw := range []string{absent, "", "null", " null ", "{}", `{"active_only":null}`} {
		for _, positional := range []bool{false, true} {
			if got, err := bindAs[listParams](raw, positional); err != nil || got.ActiveOnly != nil {
				t.Errorf("positional %v, %q: %+v, %v", positional, raw, got, err)
			}
		}
	}
	if got, err := bindAs[listParams](`[]`, true); err != nil || got.ActiveOnly != nil {
		t.Errorf("by position, []: %+v, %v", got, err)
	}
}

func TestAMethodWithoutParametersIgnoresThem(t *testing.T) {
	for _, raw := range []string{absent, "null", "{}", "[]", "[1]", "5", `"x"`, `{"x":1}`} {
		for _, positional := range []bool{false, true} {
			if _, err := bindAs[plugin.None](raw, positional); err != nil {
				t.Errorf("positional %v, %s: %v", positional, raw, err)
			}
		}
	}
}

func TestBindRejectsWhatIsNotStrictJSON(t *testing.T) {
	for _, raw := range []string{
		`{"name":"a","name":"a"}`,        // twice
		`{"name":"a","n\u0061me":"b"}`,   // twice, spelled differently
		`{"name":"a","x":{"y":1,"y":2}}`, // twice, within
		`{"name":"a","x":1,"x":2}`,       // twice, though unknown
		"{\"name\":\"\xff\"}",            // not UTF-8
		`{"name":"a"} {"name":"b"}`,      // more than one value
		`{"name":"a"}x`,
		`{"name":"a",}`,
		`{"name":"a"`,
		`{"name"}`,
		`{name:"a"}`,
		`{"name":'a'}`,
		"\u00a0{\"name\":\"a\"}", // a space that JSON does not know
		`"a" "b"`,
		`"a`,
		`tru`,
		`["a"] 1`, `["a"]]`, `["a"`, `["a",]`, `["a" "b"]`, `[{"x":1,"x":1}]`, // by position
	} {
		for _, positional := range []bool{false, true} {
			if raw[0] == '[' && !positional {
				continue
			}
			got, err := bindAs[nameParams](raw, positional)
			var bad *plugin.Error
			if !errors.As(err, &bad) || !strings.Contains(bad.Message, "not valid JSON") {
				t.Errorf("positional %v, %s: bound to %+v, error %v, want not valid JSON", positional, raw, got, err)
			}
		}
	}
}

func TestBindAppliesDefaults(t *testing.T) {
	type params struct {
		Message string   `json:"message"`
		Count   uint32   `json:"count,omitzero" default:"3"`
		Mode    *string  `json:"mode" default:"\"fast\""`
		Tags    []string `json:"tags,omitempty" default:"[\"x\"]"`
	}
	whole := params{Message: "m", Count: 3, Mode: ptr("fast"), Tags: []string{"x"}}
	for _, test := range []struct {
		raw        string
		positional bool
		want       params
	}{
		{`{"message":"m"}`, false, whole},
		{`{"message":"m","count":null,"mode":null,"tags":null}`, false, whole},
		{`"m"`, false, whole},
		{`["m"]`, true, whole},
		{`["m",0]`, true, params{"m", 0, ptr("fast"), []string{"x"}}},
		{`{"message":"m","count":0,"mode":"","tags":[]}`, false, params{"m", 0, ptr(""), []string{}}},
	} {
		got, err := bindAs[params](test.raw, test.positional)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.raw, got, err, test.want)
		}
	}
	// Two calls must not share parameters, nor what a default made.
	method := methodOf[params]()
	first, _ := method.Bind([]byte(`"m"`), false)
	first.(*params).Tags[0] = "changed"
	if second, _ := method.Bind([]byte(`"n"`), false); second.(*params).Tags[0] != "x" || first.(*params).Message != "m" {
		t.Error("a handler can change the parameters of the next call")
	}
}

// checkedParams reject an even number.
type checkedParams struct {
	Number int `json:"number"`
}

func (p *checkedParams) Validate() error {
	if p.Number%2 == 0 {
		return fmt.Errorf("number %d is even", p.Number)
	}
	return nil
}

func TestParametersValidateThemselves(t *testing.T) {
	if got, err := bindAs[checkedParams](`{"number":3}`, false); err != nil || got.Number != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := bindAs[checkedParams](`{"number":4}`, false)
	var bad *plugin.Error
	if !errors.As(err, &bad) || err.Error() != "Invalid params: number 4 is even" {
		t.Errorf("error %v, want an Error: number 4 is even", err)
	}
}

func TestBindKeepsRawJSONAsItCame(t *testing.T) {
	type params struct {
		Data  json.RawMessage `json:"data"`
		Other json.RawMessage `json:"other,omitzero"`
	}
	for _, text := range []string{`{"b": 1,  "a":2}`, `"x"`, `null`, `1.50`, `[ ]`} {
		got, err := bindAs[params](`{"data":`+text+`, "other": null}`, false)
		if err != nil || string(got.Data) != text || got.Other != nil {
			t.Errorf("%s: %s, %s, %v", text, got.Data, got.Other, err)
		}
	}
	if _, err := bindAs[params](`{}`, false); err == nil {
		t.Error("required JSON may be missing")
	}
	raw := []byte(`["a","b"]`)
	in, err := methodOf[params]().Bind(raw, true)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(in.(*params).Data, "#####"...)
	if string(raw) != `["a","b"]` {
		t.Errorf("appending to a parameter changed the call: %s", raw)
	}
}

func TestBindFillsEmbeddedStructs(t *testing.T) {
	type Page struct {
		Limit *int `json:"limit"`
	}
	type params struct {
		Name string `json:"name"`
		Page
	}
	got, err := bindAs[params](`{"name":"a","limit":5}`, false)
	if err != nil || got.Name != "a" || got.Limit == nil || *got.Limit != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = bindAs[params](`["a",6]`, true); err != nil || got.Limit == nil || *got.Limit != 6 {
		t.Errorf("by position: %+v, %v", got, err)
	}
}

func TestDefaultsOfStringsNeedNoQuotes(t *testing.T) {
	type params struct {
		Bare   string  `json:"bare,omitzero" default:"red"`
		Quoted string  `json:"quoted,omitzero" default:"\"blue\""`
		Far    *string `json:"far" default:"green and more"`
		Number int     `json:"number,omitzero" default:"3"`
	}
	var got params
	m := plugin.Unary("m", "", func(_ context.Context, in params) (string, error) { got = in; return "", nil })
	in, err := m.Bind(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for range m.Handle(t.Context(), in) {
	}
	if got.Bare != "red" || got.Quoted != "blue" || got.Far == nil || *got.Far != "green and more" || got.Number != 3 {
		t.Errorf("got %+v", got)
	}
	properties := parsed(m.Schema().Params).Properties
	if bare, quoted := string(properties["bare"].Default), string(properties["quoted"].Default); bare != `"red"` || quoted != `"blue"` {
		t.Errorf("the schema says %s and %s", bare, quoted)
	}
}
