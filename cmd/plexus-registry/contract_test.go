// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// contract is what the schemas that a hub serves promise.
type contract struct {
	params  map[string]*jsonschema.Resolved // by method: registry.get
	returns map[string]*jsonschema.Resolved
	item    *jsonschema.Resolved // any item of a stream
}

// served reads the contract as a client that generates code from it would.
func served(t testing.TB, url string) *contract {
	t.Helper()
	hub, c := connect(t, url), &contract{params: map[string]*jsonschema.Resolved{}, returns: map[string]*jsonschema.Resolved{}}
	for _, path := range []string{"registry-hub", "registry"} {
		schema := hub.call(path+".schema", nil)
		for _, method := range schema["methods"].([]any) {
			method := method.(map[string]any)
			name := path + "." + method["name"].(string)
			c.params[name] = resolve(t, method["params"])
			c.returns[name] = resolve(t, method["returns"])
		}
	}
	c.item = c.returns["registry-hub.call"]
	if c.item == nil || len(c.returns) < 12 {
		t.Fatalf("the hub serves schemas of %d methods only", len(c.returns))
	}
	return c
}

func resolve(t testing.TB, schema any) *jsonschema.Resolved {
	t.Helper()
	if schema == nil {
		return nil
	}
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	var parsed jsonschema.Schema
	if err := json.Unmarshal(text, &parsed); err != nil {
		t.Fatalf("a schema can't be read: %v\n%s", err, text)
	}
	resolved, err := parsed.Resolve(nil)
	if err != nil {
		t.Fatalf("a schema can't be resolved: %v\n%s", err, text)
	}
	return resolved
}

// checkItem holds an item of a stream against the contract.
func (c *contract) checkItem(item map[string]any) error {
	if err := c.item.Validate(item); err != nil {
		return fmt.Errorf("the item %v: %w", item, err)
	}
	if item["type"] != "data" {
		return nil
	}
	method := item["content_type"].(string)
	if returns := c.returns[method]; returns != nil {
		if err := returns.Validate(item["content"]); err != nil {
			return fmt.Errorf("content of %s: %v: %w", method, item["content"], err)
		}
	}
	return nil
}

// checkParams holds parameters against the contract that the hub has accepted. A
// protocol is listed there as it is stored, in lower case.
func (c *contract) checkParams(method string, params any) error {
	given, ok := params.(map[string]any)
	if !ok {
		return nil // none, or by position
	}
	if protocol, ok := given["protocol"].(string); ok {
		given["protocol"] = strings.ToLower(protocol)
	}
	if schema := c.params[method]; schema != nil {
		if err := schema.Validate(params); err != nil {
			return fmt.Errorf("parameters of %s: %v: %w", method, params, err)
		}
	}
	return nil
}

// checkExchange holds a request and the frames that answer it against the
// contract. What is no JSON object is no request.
func (c *contract) checkExchange(sent string, frames []json.RawMessage) error {
	var request map[string]any
	if json.Unmarshal([]byte(sent), &request) != nil {
		return nil
	}
	accepted := false
	for _, text := range frames {
		var frame map[string]any
		if err := json.Unmarshal(text, &frame); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		item := itemOf(frame)
		if item == nil {
			continue
		}
		if err := c.checkItem(item); err != nil {
			return err
		}
		accepted = accepted || item["type"] == "data"
	}
	if !accepted {
		return nil
	}
	return c.checkParams(asked(request))
}

// asked returns the method that a request is for in the end, and its parameters.
func asked(request map[string]any) (method string, params any) {
	method, _ = request["method"].(string)
	if inner, ok := request["params"].(map[string]any); ok && method == "registry-hub.call" {
		method, _ = inner["method"].(string)
		return method, inner["params"]
	}
	if name, ok := strings.CutPrefix(method, "registry_"); ok {
		method = "registry." + name
	}
	return method, request["params"]
}

// itemOf is the item that a frame carries; nil for none.
func itemOf(frame map[string]any) map[string]any {
	params, _ := frame["params"].(map[string]any)
	item, _ := params["result"].(map[string]any)
	return item
}
