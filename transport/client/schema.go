// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// Info asks the hub _info through the connection, which shows that both are
// alive. [Client.Hub] returns the name without asking.
func (c *Client) Info(ctx context.Context) (HubInfo, error) {
	item, err := c.own(ctx, call{method: wire.InfoMethod, own: true, params: json.RawMessage("null")})
	if err != nil {
		return HubInfo{}, err
	}
	return infoOf(contentOf(&item), item.Metadata.Hash)
}

// Hash asks for the hash over everything that the hub serves. Schemas from before
// it has changed are obsolete.
func (c *Client) Hash(ctx context.Context) (string, error) {
	item, err := c.own(ctx, call{method: "hash", own: true})
	if err != nil {
		return "", err
	}
	var fields struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(contentOf(&item), &fields); fields.Value == "" {
		return "", fmt.Errorf("hash: %w", protocolError("the answer is %.64q", item.Content))
	}
	return fields.Value, nil
}

// Schema asks for the schema of the activation at path, "registry", or with
// the path "" for that of the hub itself, whose children are its activations.
//
// Of other hubs' schemas it reads what it can: nulls are absent, and a JSON
// Schema of parameters or results that it can't make sense of is nil.
func (c *Client) Schema(ctx context.Context, path string) (plugin.Schema, error) {
	asked := call{method: "schema", own: true}
	if path != "" {
		asked = call{method: path + ".schema"}
	}
	item, err := c.own(ctx, asked)
	if err != nil {
		return plugin.Schema{}, err
	}
	schema, err := schemaOf(contentOf(&item))
	if err != nil {
		return plugin.Schema{}, fmt.Errorf("%s: %w", asked.method, err)
	}
	return schema, nil
}

// own calls a method that only reads and answers once.
func (c *Client) own(ctx context.Context, asked call) (plugin.Item, error) {
	asked.client, asked.idempotent = c, true
	return asked.one(ctx)
}

// schemaOf decodes a schema.
func schemaOf(content []byte) (plugin.Schema, error) {
	var schema plugin.Schema
	// A field of another type is as good as none.
	var odd *json.UnmarshalTypeError
	if err := json.Unmarshal(content, &schema); err != nil && (!errors.As(err, &odd) || odd.Field == "") {
		return plugin.Schema{}, protocolError("%.64q is not a schema: %v", content, err)
	}
	for i := range schema.Methods {
		m := &schema.Methods[i]
		for _, text := range []*json.RawMessage{&m.Params, &m.Returns} {
			if t := string(*text); t != "true" && t != "false" && (t == "" || t[0] != '{') {
				*text = nil // no JSON Schema
			}
		}
	}
	return schema, nil
}
