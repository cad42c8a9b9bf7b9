// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// page is a web client: one socket from the page of a local development
// server, which asks in the way that such clients do and takes nothing on
// trust.
type page struct {
	*testing.T
	ws       *websocket.Conn
	contract *contract
	id       int
	seen     map[float64]bool // subscriptions
}

func openPage(t *testing.T, url string) *page {
	t.Helper()
	dialer := websocket.Dialer{EnableCompression: true} // offers permessage-deflate
	ws, response, err := dialer.Dial(url, http.Header{"Origin": {"http://localhost:5173"}})
	if err != nil {
		t.Fatalf("%v: %v", err, response)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(patience))
	return &page{T: t, ws: ws, contract: served(t, dial(t, url)), seen: map[float64]bool{}}
}

// frame reads one text frame.
func (p *page) frame() map[string]any {
	p.Helper()
	kind, text, err := p.ws.ReadMessage()
	if err != nil {
		p.Fatal(err)
	}
	var frame map[string]any
	if err := json.Unmarshal(text, &frame); err != nil {
		p.Fatalf("%v: %s", err, text)
	}
	if kind != websocket.TextMessage || frame["jsonrpc"] != "2.0" {
		p.Fatalf("a frame of kind %d: %s", kind, text)
	}
	return frame
}

// ask sends a request, with params as its text or without where it is empty,
// and returns the answer to it.
func (p *page) ask(method, params string) map[string]any {
	p.Helper()
	p.id++
	if params != "" {
		params = `,"params":` + params
	}
	request := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q%s}`, p.id, method, params)
	if err := p.ws.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
		p.Fatal(err)
	}
	answer := p.frame()
	if answer["id"] != float64(p.id) || answer["method"] != nil {
		p.Fatalf("%s is answered %v", request, answer)
	}
	if result, fault := answer["result"], answer["error"]; (result == nil) == (fault == nil) {
		p.Fatalf("%s is answered with both or neither: %v", request, answer)
	}
	return answer
}

// stream asks and returns the items, which come under the method notify: data,
// and then done, or an error.
func (p *page) stream(method, params, notify string) []map[string]any {
	p.Helper()
	answer := p.ask(method, params)
	subscription, ok := answer["result"].(float64)
	if !ok || subscription != float64(int64(subscription)) || subscription < 0 || subscription >= 1<<53 || p.seen[subscription] {
		p.Fatalf("%s %s: a subscription %v", method, params, answer)
	}
	p.seen[subscription] = true
	frames, texts := []map[string]any{}, []json.RawMessage{}
	for {
		frame := p.frame()
		text, err := json.Marshal(frame)
		if err != nil {
			p.Fatal(err)
		}
		frames, texts = append(frames, frame), append(texts, text)
		item := itemOf(frame)
		if _, ok := frame["id"]; ok || item == nil || frame["method"] != notify ||
			frame["params"].(map[string]any)["subscription"] != subscription {
			p.Fatalf("%s %s: a frame %v", method, params, frame)
		}
		if item["type"] == "data" {
			continue
		}
		if params == "" {
			params = "null"
		}
		if err := p.contract.checkExchange(fmt.Sprintf(`{"method":%q,"params":%s}`, method, params), texts); err != nil {
			p.Error(err)
		}
		items := make([]map[string]any, len(frames))
		for i, frame := range frames {
			items[i] = itemOf(frame)
			p.checkMetadata(items[i])
		}
		return items
	}
}

var hashPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

func (p *page) checkMetadata(item map[string]any) {
	p.Helper()
	metadata, _ := item["metadata"].(map[string]any)
	provenance, ok := metadata["provenance"].([]any)
	hash, _ := metadata["plexus_hash"].(string)
	at, _ := metadata["timestamp"].(float64)
	if !ok || len(metadata) != 3 || !hashPattern.MatchString(hash) || at != float64(int64(at)) || at < 1e9 {
		p.Errorf("metadata of %v", item)
	}
	for _, namespace := range provenance {
		if _, ok := namespace.(string); !ok {
			p.Errorf("provenance of %v", item)
		}
	}
}

// one is the content of a stream of one data item.
func (p *page) one(method, params, notify string) (content map[string]any, contentType string) {
	p.Helper()
	items := p.stream(method, params, notify)
	if len(items) != 2 || items[0]["type"] != "data" || items[1]["type"] != "done" {
		p.Fatalf("%s %s: %v", method, params, items)
	}
	return items[0]["content"].(map[string]any), items[0]["content_type"].(string)
}

const hubCall = "registry-hub.call"

// call makes a call through the hub, as web clients make all of them.
func (p *page) call(method, params string) (content map[string]any, contentType string) {
	p.Helper()
	return p.one(hubCall, fmt.Sprintf(`{"method":%q,"params":%s}`, method, params), hubCall)
}

func (p *page) hash() string {
	p.Helper()
	content, contentType := p.one("registry-hub.hash", "", "result")
	hash, _ := content["value"].(string)
	if contentType != "registry-hub.hash" || content["event"] != "hash" || !hashPattern.MatchString(hash) {
		p.Fatalf("the hash is %s %v", contentType, content)
	}
	return hash
}

// TestWebClient does on one socket all that a web client does in its life.
func TestWebClient(t *testing.T) {
	t.Parallel()
	process := start(t, command(t.TempDir()))
	p := openPage(t, process.url)
	p.scan()
	schema := p.walk()
	hash := p.hash()
	if hash != schema["hash"] {
		t.Errorf("the hash is %s, that of the schema %v", hash, schema["hash"])
	}
	p.edit()
	p.fail()
	if later := p.hash(); later != hash {
		t.Errorf("the hash was %s and is %s: nothing of the schema has changed", hash, later)
	}
	if again := p.walk(); fmt.Sprint(again) != fmt.Sprint(schema) {
		t.Error("the schema has changed")
	}
}

// scan is what a client sends to each port from 4440 to 4450.
func (p *page) scan() {
	p.Helper()
	content, contentType := p.one("_info", "[]", "result")
	if contentType != "_info" || content["backend"] != "registry-hub" {
		p.Fatalf("_info: %s %v", contentType, content)
	}
}

// walk reads the schema of the hub, of every child and of every method. It
// returns that of the hub.
func (p *page) walk() map[string]any {
	p.Helper()
	hub, contentType := p.one("registry-hub.schema", "", "result")
	if !strings.HasSuffix(contentType, ".schema") {
		p.Errorf("the content type of the schema is %s", contentType)
	}
	p.checkSchema("registry-hub", hub)
	children, _ := hub["children"].([]any)
	if len(children) == 0 {
		p.Fatalf("the hub has no children: %v", hub)
	}
	for _, child := range children {
		child := child.(map[string]any)
		path, _ := child["namespace"].(string)
		schema, contentType := p.call(path+".schema", "{}")
		if !strings.HasSuffix(contentType, ".schema") {
			p.Errorf("the content type of the schema of %s is %s", path, contentType)
		}
		p.checkSchema(path, schema)
		if _, ok := schema["children"]; ok {
			p.Errorf("%s has no children, and a list of them: %v", path, schema["children"])
		}
		if child["description"] != schema["description"] || child["hash"] != schema["hash"] {
			p.Errorf("the hub says %v, the child %v and %v", child, schema["description"], schema["hash"])
		}
		for _, method := range schema["methods"].([]any) {
			name := method.(map[string]any)["name"].(string)
			alone, _ := p.call(path+".schema", fmt.Sprintf(`{"method":%q}`, name))
			if fmt.Sprint(alone) != fmt.Sprint(method) {
				p.Errorf("%s.%s: alone %v, in the schema %v", path, name, alone, method)
			}
		}
	}
	return hub
}

func (p *page) checkSchema(path string, schema map[string]any) {
	p.Helper()
	if schema["namespace"] != path {
		p.Errorf("the namespace of %s is %v", path, schema["namespace"])
	}
	methods, _ := schema["methods"].([]any)
	if len(methods) == 0 {
		p.Errorf("%s has no methods", path)
	}
	described := append([]any{schema}, methods...)
	for i, d := range described {
		d := d.(map[string]any)
		strings := []string{"name", "description", "hash"}
		if i == 0 {
			strings = []string{"namespace", "version", "description", "hash", "self_hash"}
		}
		for _, key := range strings {
			if text, _ := d[key].(string); text == "" {
				p.Errorf("%s: %s is %v in %v", path, key, d[key], d["name"])
			}
		}
		if i == 0 {
			continue
		}
		if role, _ := d["role"].(map[string]any); role["kind"] != "rpc" {
			p.Errorf("%s.%s: the role is %v", path, d["name"], d["role"])
		}
		if _, ok := d["streaming"].(bool); !ok {
			p.Errorf("%s.%s: streaming is %v", path, d["name"], d["streaming"])
		}
		for key, value := range d {
			if value == nil {
				p.Errorf("%s.%s: %s is null", path, d["name"], key)
			}
		}
	}
}

// edit uses every method, with the nulls that the schema has for defaults.
func (p *page) edit() {
	p.Helper()
	content, _ := p.call("registry.register", `{"name":"web","host":"10.0.0.1","port":4444,"protocol":null,"description":null,
		"namespace":null,"version":null,"metadata":null,"source":null}`)
	entry, _ := content["backend"].(map[string]any)
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
	if entry := content["backend"].(map[string]any); entry["port"] != 4445.0 || entry["host"] != "10.0.0.1" {
		p.Errorf("updated %v", content)
	}
	for method, want := range map[string]string{"get": "backend", "ping": "ping", "deregister": "backend_deregistered", "delete": "backend_deleted"} {
		params := `{"name":"web"}`
		if method == "delete" {
			params = `{"name":"full"}`
		}
		if content, contentType := p.call("registry."+method, params); content["type"] != want || contentType != "registry."+method {
			p.Errorf("%s: %s %v", method, contentType, content)
		}
	}
	if content, _ := p.call("registry.reload", "{}"); content["type"] != "reloaded" {
		p.Errorf("reload: %v", content)
	}
	if content, _ := p.call("registry.hash", "{}"); content["value"] == nil {
		p.Errorf("registry.hash: %v", content)
	}
	if content, _ := p.one("registry-hub.hashes", "", "result"); content["hash"] == nil {
		p.Errorf("hashes: %v", content)
	}
}

// fail meets each kind of error, and can go on after all of them.
func (p *page) fail() {
	p.Helper()
	inStream := []struct{ params, message, code string }{
		{`{"method":"nope.list"}`, "Activation not found: nope", "-32601"},
		{`{"method":"registry.nope"}`, "Method not found: registry.nope", "-32601"},
		{`{"method":"registry.schema","params":{"method":"nope"}}`, "Method not found: registry.nope", "-32601"},
		{`{"method":"list"}`, "Invalid params: Invalid method format: list", "-32602"},
		{`{"method":"registry.get","params":{}}`, "Invalid params: missing field: name", "-32602"},
		{`{"method":"registry.register","params":{"name":"p","host":"h","port":0}}`, "Invalid params: port 0 is not 1–65535", "-32602"},
		{`{"method":"registry.register","params":{"name":"p","host":"h:1","port":1}}`, "h:1", "-32602"},
		{`{"method":"registry.register","params":{"name":"p","host":"h","port":1,"protocol":"http"}}`, "http", "-32602"},
	}
	for _, test := range inStream {
		items := p.stream(hubCall, test.params, hubCall)
		item := items[0]
		message, _ := item["message"].(string)
		if len(items) != 1 || item["type"] != "error" || !strings.Contains(message, test.message) ||
			item["code"] != test.code || item["recoverable"] != false {
			p.Errorf("%s: %v, want %s", test.params, items, test.message)
		}
	}
	// What the registry itself does not find is no error of the stream.
	for _, method := range []string{"update", "delete", "deregister"} {
		if content, _ := p.call("registry."+method, `{"name":"nobody"}`); content["type"] != "error" || content["message"] != "Backend not found: nobody" {
			p.Errorf("%s: %v", method, content)
		}
	}
	if content, _ := p.call("registry.get", `{"name":"nobody"}`); content["type"] != "backend" || content["backend"] != nil {
		p.Errorf("get: %v", content)
	}
	if content, _ := p.call("registry.ping", `{"name":"nobody"}`); content["success"] != false {
		p.Errorf("ping: %v", content)
	}
	direct := []struct {
		method, params string
		code           float64
	}{
		{"nope", "", -32601},
		{"registry-hub.nope", "{}", -32601},
		{"registry_get", "{}", -32602},
		{hubCall, "{}", -32602},
		{hubCall, "", -32602},
		{"registry-hub.respond", `{"request_id":"x","response_data":{}}`, -32602},
	}
	for _, test := range direct {
		fault, _ := p.ask(test.method, test.params)["error"].(map[string]any)
		if message, _ := fault["message"].(string); fault["code"] != test.code || message == "" {
			p.Errorf("%s %s: %v, want code %v", test.method, test.params, fault, test.code)
		}
	}
	bad := []struct {
		text string
		id   any
		code float64
	}{
		{`{"jsonrpc":"2.0",`, nil, -32700},
		{`{"jsonrpc":"2.0","id":1.5,"method":"_info"}`, nil, -32600},
		{`{"jsonrpc":"2.0","id":7,"method":5}`, 7.0, -32600},
		{`{"id":7,"method":"_info"}`, 7.0, -32600},
	}
	for _, test := range bad {
		if err := p.ws.WriteMessage(websocket.TextMessage, []byte(test.text)); err != nil {
			p.Fatal(err)
		}
		answer := p.frame()
		fault, _ := answer["error"].(map[string]any)
		if id, ok := answer["id"]; !ok || id != test.id || fault["code"] != test.code {
			p.Errorf("%s: %v", test.text, answer)
		}
	}
	p.scan()
}
