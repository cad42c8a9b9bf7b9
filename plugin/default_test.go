// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"context"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

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
