// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"encoding/json"

	"github.com/plexus-go/plexus/plugin"
)

// returnsItems is what the schema of call says of its result: what an item is
// on the wire, in the words and under the names that clients know. Items are
// written from [plugin.Item].
func returnsItems() plugin.Option {
	type StreamMetadata struct {
		_          struct{} `description:"Metadata applied by the caller when wrapping activation responses\n\nThis metadata is added at each layer of the call stack, enabling\nprovenance tracking and cache invalidation."`
		Provenance []string `json:"provenance" description:"Call path through the system (e.g., [\"substrate\", \"health\"])"`
		PlexusHash string   `json:"plexus_hash" description:"Hash of Plexus RPC server configuration for cache invalidation\nChanges when activations are added/removed/updated"`
		Timestamp  int64    `json:"timestamp" description:"Unix timestamp (seconds) when the event was wrapped"`
	}
	type dataItem struct {
		Metadata    StreamMetadata  `json:"metadata" description:"Metadata from calling layer"`
		ContentType string          `json:"content_type" description:"Type identifier for deserialization (e.g., \"health.status\")"`
		Content     json.RawMessage `json:"content" description:"The actual payload (serialized activation event)"`
	}
	type progressItem struct {
		Metadata   StreamMetadata `json:"metadata" description:"Metadata from calling layer"`
		Message    string         `json:"message" description:"Human-readable progress message"`
		Percentage *float32       `json:"percentage" description:"Optional completion percentage (0.0 - 100.0)"`
	}
	type errorItem struct {
		Metadata    StreamMetadata `json:"metadata" description:"Metadata from calling layer"`
		Message     string         `json:"message" description:"Human-readable error message"`
		Code        *string        `json:"code" description:"Optional error code for programmatic handling"`
		Recoverable bool           `json:"recoverable" description:"Whether the operation can be retried"`
	}
	type requestItem struct {
		RequestID   string          `json:"requestId" description:"Unique identifier for correlating response"`
		RequestData json.RawMessage `json:"requestData" description:"Serialized request data (generic Req type)"`
		TimeoutMS   uint64          `json:"timeoutMs" description:"Maximum time to wait for response (milliseconds)"`
	}
	type doneItem struct {
		Metadata StreamMetadata `json:"metadata" description:"Metadata from calling layer"`
	}
	type streamItem struct {
		plugin.Union `discriminator:"type" title:"PlexusStreamItem" description:"Universal stream item - all activations emit this type\n\nThe caller (DynamicHub routing layer) wraps activation responses with\nmetadata. This is the only type that crosses the wire."`

		Data     *dataItem     `tag:"data" description:"Data payload with caller-applied metadata"`
		Progress *progressItem `tag:"progress" description:"Progress update during long-running operations"`
		Error    *errorItem    `tag:"error" description:"Error occurred during processing"`
		Request  *requestItem  `tag:"request" description:"Bidirectional request from server to client\n\nServer can ask client for input during stream execution.\nClient must respond via transport-specific mechanism\n(MCP: _plexus_respond tool, WebSocket: plexus.respond RPC)."`
		Done     *doneItem     `tag:"done" description:"Stream completed successfully"`
	}
	return plugin.Returns[streamItem]()
}
