// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func dial(t testing.TB, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(patience))
	return ws
}

func receive(t testing.TB, ws *websocket.Conn) map[string]any {
	t.Helper()
	var frame any
	if err := ws.ReadJSON(&frame); err != nil {
		t.Fatal(err)
	}
	object, ok := frame.(map[string]any)
	if !ok {
		return map[string]any{"array": frame}
	}
	return object
}

// callFrame is a call through the call method of the hub.
func callFrame(id any, method string, params any) map[string]any {
	return map[string]any{
		"jsonrpc": "2.0", "id": id, "method": "registry-hub.call",
		"params": map[string]any{"method": method, "params": params},
	}
}

// registerFrame is the call that registers a backend called name.
func registerFrame(name string) map[string]any {
	return callFrame(name, "registry.register", map[string]any{"name": name, "host": "127.0.0.1", "port": 4444})
}

// items sends a request and returns the items of its stream, up to the last.
func items(t testing.TB, ws *websocket.Conn, request any) []map[string]any {
	t.Helper()
	if err := ws.WriteJSON(request); err != nil {
		t.Fatal(err)
	}
	answer := receive(t, ws)
	if answer["error"] != nil {
		t.Fatalf("%v is answered %v", request, answer)
	}
	var items []map[string]any
	for {
		frame := receive(t, ws)
		params, _ := frame["params"].(map[string]any)
		if params["subscription"] != answer["result"] {
			t.Fatalf("a frame of another stream: %v", frame)
		}
		item := params["result"].(map[string]any)
		items = append(items, item)
		if item["type"] == "done" || item["type"] == "error" {
			return items
		}
	}
}

// info asks for the hub's name, as every client does first.
func info(t testing.TB, ws *websocket.Conn) string {
	t.Helper()
	item := items(t, ws, map[string]any{"jsonrpc": "2.0", "id": 1, "method": "_info", "params": nil})[0]
	name, _ := item["content"].(map[string]any)["backend"].(string)
	return name
}

// call makes a call through the hub's call and returns the first item.
func call(t testing.TB, ws *websocket.Conn, method string, params any) map[string]any {
	t.Helper()
	return items(t, ws, callFrame(1, method, params))[0]
}

// content is that of the data item which a call is answered with.
func content(t testing.TB, ws *websocket.Conn, method string, params any) map[string]any {
	t.Helper()
	item := call(t, ws, method, params)
	content, ok := item["content"].(map[string]any)
	if !ok {
		t.Fatalf("%s %v: %v", method, params, item)
	}
	return content
}

func register(t testing.TB, ws *websocket.Conn, params any) {
	t.Helper()
	if content := content(t, ws, "registry.register", params); content["type"] != "backend_registered" {
		t.Fatalf("register %v: %v", params, content)
	}
}

// list returns every entry of the registry, by its name.
func list(t testing.TB, url string) map[string]map[string]any {
	t.Helper()
	ws := dial(t, url)
	defer ws.Close()
	entries := map[string]map[string]any{}
	for _, entry := range content(t, ws, "registry.list", map[string]any{"active_only": false})["backends"].([]any) {
		entry := entry.(map[string]any)
		entries[entry["name"].(string)] = entry
	}
	return entries
}

// numbered are count names.
func numbered(prefix string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", prefix, i)
	}
	return names
}

// missing lists the names that entries lacks.
func missing(entries map[string]map[string]any, names []string) []string {
	var missing []string
	for _, name := range names {
		if entries[name] == nil {
			missing = append(missing, name)
		}
	}
	return missing
}
