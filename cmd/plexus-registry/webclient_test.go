// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/testkit"
)

// page is a web client: one connection from the page of a local development
// server, whose calls and checks are those of such clients. The transcripts say
// how errors are answered.
type page struct {
	*testing.T
	conn     *testkit.Conn
	contract *contract
	seen     map[int64]bool // subscriptions
}

func openPage(t *testing.T, url string) *page {
	t.Helper()
	dialer := &websocket.Dialer{EnableCompression: true} // offers permessage-deflate
	conn, answer, err := testkit.DialWith(t, dialer, url, http.Header{"Origin": {"http://localhost:5173"}})
	if err != nil {
		t.Fatalf("%v: %v", err, answer)
	}
	return &page{T: t, conn: conn, contract: served(t, url), seen: map[int64]bool{}}
}

// one makes a request, with params as JSON text or "" for none. It returns the
// content of its stream, which must have one data item, under the method notify.
func (p *page) one(method, params, notify string) (content object, contentType string) {
	p.Helper()
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q}`, method)
	if params != "" {
		request = fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, params)
	}
	p.conn.Send("%s", request)
	subscription := p.conn.Subscribed("7")
	if p.seen[subscription] {
		p.Fatalf("%s: the subscription %d again", request, subscription)
	}
	p.seen[subscription] = true
	data, done := p.conn.Item(subscription, "data"), p.conn.Item(subscription, "done")
	for _, frame := range []testkit.Frame{data, done} {
		if frame.Method != notify {
			p.Errorf("%s: an item under the method %q, want %q", request, frame.Method, notify)
		}
	}
	if err := p.contract.checkExchange(request, []json.RawMessage{[]byte(data.Text), []byte(done.Text)}); err != nil {
		p.Error(err)
	}
	item := data.Params.Result
	return item.Object(), item.ContentType
}

// call makes a call through the hub, as web clients make all of them.
func (p *page) call(method, params string) (content object, contentType string) {
	p.Helper()
	const hubCall = "registry-hub.call"
	return p.one(hubCall, fmt.Sprintf(`{"method":%q,"params":%s}`, method, params), hubCall)
}

func (p *page) hash() string {
	p.Helper()
	content, contentType := p.one("registry-hub.hash", "", "result")
	hash, _ := content["value"].(string)
	if contentType != "registry-hub.hash" || content["event"] != "hash" || len(hash) != 16 {
		p.Fatalf("the hash is %s %v", contentType, content)
	}
	return hash
}

// TestAWebClientDoesAllOnOneConnection asks for the hub, its schema, and each
// method. Entries that come and go do not change the hash of the schema.
func TestAWebClientDoesAllOnOneConnection(t *testing.T) {
	t.Parallel()
	p := openPage(t, start(t, command(t.TempDir())).url)
	// To each port from 4440 to 4450.
	if content, contentType := p.one("_info", "[]", "result"); contentType != "_info" || content["backend"] != "registry-hub" {
		p.Fatalf("_info: %s %v", contentType, content)
	}
	schema := p.walk()
	hash := p.hash()
	if hash != schema["hash"] {
		t.Errorf("the hash is %s, that of the schema %v", hash, schema["hash"])
	}
	p.edit()
	if later := p.hash(); later != hash {
		t.Errorf("the hash was %s and is %s: nothing of the schema has changed", hash, later)
	}
	if again := p.walk(); fmt.Sprint(again) != fmt.Sprint(schema) {
		t.Error("the schema has changed")
	}
	p.conn.Quiet()
}

// walk reads the schema of the hub and of every child, and holds them against what
// clients are strict about. It returns that of the hub.
func (p *page) walk() object {
	p.Helper()
	hub, _ := p.one("registry-hub.schema", "", "result")
	p.checkSchema("registry-hub", hub)
	children, _ := hub["children"].([]any)
	if len(children) == 0 {
		p.Fatalf("the hub has no children: %v", hub)
	}
	for _, child := range children {
		child := child.(object)
		path, _ := child["namespace"].(string)
		schema, _ := p.call(path+".schema", "{}")
		p.checkSchema(path, schema)
		if schema["children"] != nil || child["description"] != schema["description"] || child["hash"] != schema["hash"] {
			p.Errorf("the hub says %v, the child %v", child, schema)
		}
	}
	return hub
}

func (p *page) checkSchema(path string, schema object) {
	p.Helper()
	texts := func(of object, keys ...string) {
		for _, key := range keys {
			if text, _ := of[key].(string); text == "" {
				p.Errorf("%s: %s is %v in %v", path, key, of[key], of["name"])
			}
		}
	}
	texts(schema, "namespace", "version", "description", "hash", "self_hash")
	methods, _ := schema["methods"].([]any)
	if schema["namespace"] != path || len(methods) == 0 {
		p.Errorf("the schema of %s is of %v, with %d methods", path, schema["namespace"], len(methods))
	}
	for _, method := range methods {
		method := method.(object)
		texts(method, "name", "description", "hash")
		role, _ := method["role"].(object)
		if _, ok := method["streaming"].(bool); !ok || role["kind"] != "rpc" {
			p.Errorf("%s.%s: the role is %v, streaming is %v", path, method["name"], method["role"], method["streaming"])
		}
		for key, value := range method {
			if value == nil {
				p.Errorf("%s.%s: %s is null", path, method["name"], key)
			}
		}
	}
}

// edit uses every method, with the nulls that the schema has for defaults.
func (p *page) edit() {
	p.Helper()
	content, _ := p.call("registry.register", `{"name":"web","host":"127.0.0.1","port":4444,"protocol":null,"description":null,
		"namespace":null,"version":null,"metadata":null,"source":null}`)
	entry, _ := content["backend"].(object)
	if entry["name"] != "web" || entry["protocol"] != "ws" || entry["source"] != "manual" || entry["is_active"] != true {
		p.Errorf("registered %v", content)
	}
	for key, value := range entry {
		if value == nil {
			p.Errorf("%s is null, not absent: %v", key, entry)
		}
	}
	p.call("registry.register", `{"name":"full","host":"::1","port":443,"protocol":"WSS","description":"é ☃","namespace":"n",
		"version":"1.2","metadata":{"pid":1,"deep":{"a":[1.50,null]}},"source":"auto"}`)
	content, _ = p.call("registry.list", `{"active_only":null}`)
	if entries, _ := content["backends"].([]any); len(entries) != 2 {
		p.Errorf("listed %v", content)
	}
	content, _ = p.call("registry.update", `{"name":"web","host":null,"port":4445,"protocol":null,"description":"d","namespace":null}`)
	if entry := content["backend"].(object); entry["port"] != 4445.0 || entry["host"] != "127.0.0.1" {
		p.Errorf("updated %v", content)
	}
	for _, test := range []struct{ method, params, want string }{
		{"get", `{"name":"web"}`, "backend"},
		{"ping", `{"name":"web"}`, "ping"},
		{"deregister", `{"name":"web"}`, "backend_deregistered"},
		{"delete", `{"name":"full"}`, "backend_deleted"},
		{"delete", `{"name":"full"}`, "error"}, // which is no error of the stream
		{"reload", `{}`, "reloaded"},
	} {
		if content, contentType := p.call("registry."+test.method, test.params); content["type"] != test.want || contentType != "registry."+test.method {
			p.Errorf("%s: %s %v", test.method, contentType, content)
		}
	}
	if content, _ := p.call("registry.hash", "{}"); content["value"] == nil {
		p.Errorf("registry.hash: %v", content)
	}
	if content, _ := p.one("registry-hub.hashes", "", "result"); content["hash"] == nil {
		p.Errorf("hashes: %v", content)
	}
}
