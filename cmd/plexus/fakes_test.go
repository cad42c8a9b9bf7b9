// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/internal/testkit"
)

// solarHub has children of children. That the earth has a moon it does not
// tell, but knows; comets have no schema at all.
func solarHub(t testing.TB) *fakeHub {
	info := `{"name":"info","description":"What is known of it","hash":"1","params":{"type":"object","properties":{"unit":{"type":["string","null"],"default":"km"}}}}`
	answers := map[string]string{
		"solar-hub.schema":   `{"namespace":"solar-hub","version":"1","description":"All that is","hash":"1","methods":[],"children":[{"namespace":"solar","description":"The sun\u001b[31m and its planets","hash":"1"}]}`,
		"solar.schema":       `{"namespace":"solar","version":"1","description":"The sun","hash":"1","methods":[{"name":"earth","description":"A planet","hash":"1","role":{"kind":"static_child"}}],"children":[{"namespace":"earth","description":"Ours","hash":"1"}]}`,
		"solar.earth.schema": `{"namespace":"earth","version":"1","description":"Ours","hash":"1","methods":[` + info + `]}`,
		"solar.earth.info":   `"a planet"`,

		"solar.earth.luna.schema": `{"namespace":"luna","version":"1","description":"The moon","hash":"1","methods":[` + info + `]}`,
		"solar.earth.luna.info":   `"a moon"`,
		"solar.comet.info":        `"a comet"`,
	}
	return newFake(t, "solar-hub", func(c *fakeCall) {
		content, ok := answers[c.inner]
		if !ok {
			c.unknown()
			return
		}
		c.stream("7", fakeData(content), fakeDone)
	})
}

// oddHub does everything in ways of its own: nulls in its schema, texts as
// subscriptions, items of types that nobody knows, streams without an end,
// nothing but its own schema method for itself.
func oddHub(t testing.TB) *fakeHub {
	return newFake(t, "odd", func(c *fakeCall) {
		switch asked := c.inner; {
		case c.Method == "odd.schema":
			c.stream(`"root"`, fakeData(`{"namespace":"odd","version":null,"description":null,"hash":null,"methods":null,"children":[null,7,{"namespace":null},{"namespace":"x","description":null,"hash":null}]}`), fakeDone)
		case asked == "x.schema":
			c.stream(`"x"`, fakeData(`{"namespace":"x","version":null,"description":"d","long_description":null,"methods":[null,{"name":null},
				{"name":"y","description":null,"hash":null,"params":null,"returns":true,"role":null,"deprecation":null},
				{"name":"z","params":{"type":7},"role":"rpc","streaming":"yes"},
				{"name":"ghost","role":{"kind":"static_child"}},
				{"name":"w","deprecation":{"since":"1"},"params":{"type":"object","properties":{"n":{"type":["integer","null"],"default":null}},"required":null}},
				{"name":"never"},{"name":"gone"}],"children":null}`))
		case asked == "x.y":
			c.stream(`"s-1"`, `{"type":"heartbeat","message":"tick"}`, `{"type":7}`, `{}`,
				`{"type":"data","metadata":null,"content_type":null,"content":{"a":null}}`, fakeDone)
		case asked == "x.z", asked == "x.w":
			c.stream(`{"a":1}`, fakeData(string(c.with)), fakeDone)
		case asked == "x.gone":
			c.stream(`1`, fakeData(`1`))
			c.Close()
		case asked == "x.never":
			c.stream(`2`, fakeData(`1`))
		case strings.HasSuffix(c.Method, "_unsub"):
			c.Send(`{"jsonrpc":"2.0","id":%s,"result":true}`, c.ID)
		default:
			c.Send(`{"jsonrpc":"2.0","id":%s,"error":{"code":"-32601","message":"no","data":null}}`, c.ID)
		}
	})
}

// silentHub lets everybody in and never says a word; muteHub says its name.
func silentHub(t testing.TB) *fakeHub { return newFake(t, "", func(*fakeCall) {}) }
func muteHub(t testing.TB) *fakeHub   { return newFake(t, "mute", func(*fakeCall) {}) }

// curiousHub asks a question before it answers; with the answer that it got.
func curiousHub(t testing.TB) *fakeHub {
	questions := map[string]string{
		"confirm": `{"type":"confirm","message":"Really delete it?"}`,
		"default": `{"type":"confirm","message":"Really?","default":false}`,
		"prompt":  `{"type":"prompt","message":"Which name?","placeholder":"x"}`,
		"named":   `{"type":"prompt","message":"Which name?","default":"bob"}`,
		"select":  `{"type":"select","message":"Which?","options":[{"value":"r","label":"Red"},{"value":2,"label":"Blue","description":"like the sky"}]}`,
		"several": `{"type":"select","message":"Which?","multi_select":true,"options":[{"value":"r","label":"Red"},{"value":2,"label":"Blue"}]}`,
		"custom":  `{"type":"custom","data":{"what":"else"}}`,
	}
	var methods []string
	for name := range questions {
		methods = append(methods, `{"name":"`+name+`","bidirectional":true}`)
	}
	return newFake(t, "curious", func(c *fakeCall) {
		name, isAsk := strings.CutPrefix(c.inner, "ask.")
		switch {
		case c.inner == "ask.schema":
			c.stream("7", fakeData(`{"namespace":"ask","methods":[`+strings.Join(methods, ",")+`]}`), fakeDone)
		case isAsk && questions[name] != "":
			c.stream("8", `{"type":"request","requestId":"q","requestData":`+questions[name]+`,"timeoutMs":15000}`)
		case c.Method == "curious.respond":
			var answer struct {
				Data json.RawMessage `json:"response_data"`
			}
			_ = json.Unmarshal(c.Params, &answer)
			c.Send(`{"jsonrpc":"2.0","id":%s,"result":{"success":true}}`, c.ID)
			c.item("8", fakeData(string(answer.Data)))
			c.item("8", fakeDone)
		default:
			c.unknown()
		}
	})
}

// busyHub reports progress; work.forever goes on until it is told
// to stop, and what work.large answers no pipe holds.
func busyHub(t testing.TB) *fakeHub {
	return newFake(t, "busy", func(c *fakeCall) {
		switch c.inner {
		case "work.schema":
			c.stream("7", fakeData(`{"namespace":"work","methods":[{"name":"do"},{"name":"forever"},{"name":"large"},{"name":"read","params":{}}]}`), fakeDone)
		case "work.do":
			c.stream("8", `{"type":"progress","message":"half","percentage":50.4}`, `{"type":"progress","message":"more","percentage":null}`,
				fakeData(`"finished"`), fakeDone)
		case "work.large":
			c.stream("8", fakeData(`"`+strings.Repeat("x", 4<<20)+`"`), fakeDone)
		case "work.forever":
			c.stream("9", fakeData(`1`))
		}
	})
}

// recordedHub answers as the reference hub has answered, byte for byte.
func recordedHub(t testing.TB) *fakeHub {
	recorded := testkit.Recordings(t)
	return newFake(t, "registry-hub", func(c *fakeCall) {
		var params any
		_ = json.Unmarshal(c.with, &params)
		var found *testkit.Exchange
		for _, e := range recorded {
			if method, with := e.Request.Call(); method == c.inner && len(e.Frames) > 0 {
				var same any
				_ = json.Unmarshal(with, &same)
				if found == nil || valueText(same) == valueText(params) {
					found = &e
				}
			}
		}
		if found == nil {
			c.unknown()
			return
		}
		for i, frame := range found.Frames {
			if i == 0 { // the answer, whose id is the recorded one
				var answer map[string]json.RawMessage
				_ = json.Unmarshal(frame, &answer)
				answer["id"] = c.ID
				frame, _ = json.Marshal(answer)
			}
			c.Send("%s", frame)
		}
	})
}
