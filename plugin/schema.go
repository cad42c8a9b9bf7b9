// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Schema is what an activation or a hub says of itself.
type Schema struct {
	Namespace       string         `json:"namespace"`
	Version         string         `json:"version"`
	Description     string         `json:"description"`
	LongDescription string         `json:"long_description,omitempty"`
	SelfHash        string         `json:"self_hash"`
	ChildrenHash    string         `json:"children_hash,omitempty"`
	Hash            string         `json:"hash"`
	Methods         []MethodSchema `json:"methods"`
	// Children is nil for what has none: clients take an empty list for a
	// hub without activations.
	Children []ChildSchema `json:"children,omitempty"`
}

// ChildSchema is what a schema says of each child.
type ChildSchema struct {
	Namespace   string `json:"namespace"`
	Description string `json:"description"`
	Hash        string `json:"hash"`
}

// MethodSchema is what a method says of itself.
type MethodSchema struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Hash        string `json:"hash"`
	// LongDescription is the rest; empty for none.
	LongDescription string `json:"long_description,omitempty"`
	// Params is nil for a method without parameters, Returns for one whose
	// content may be anything.
	Params        json.RawMessage `json:"params,omitempty"`
	Returns       json.RawMessage `json:"returns,omitempty"`
	Streaming     bool            `json:"streaming"`
	Bidirectional bool            `json:"bidirectional"`
	HTTPMethod    string          `json:"http_method"`
	// RequestType and ResponseType are what a bidirectional method asks its
	// caller, and what it is answered; nil for another.
	RequestType  json.RawMessage `json:"request_type,omitempty"`
	ResponseType json.RawMessage `json:"response_type,omitempty"`
	// Scopes are what a caller needs; nil for nothing.
	Scopes []string `json:"scopes,omitempty"`
	Role   Role     `json:"role"`
	// Deprecation is nil for a method that may be called.
	Deprecation *Deprecation `json:"deprecation,omitempty"`
}

// Role is what a method is to clients: "rpc" for one to call,
// "static_child" and "dynamic_child" for one that leads to children.
type Role struct {
	Kind string `json:"kind"`
	// ListMethod and SearchMethod name the methods beside a "dynamic_child"
	// that find children; empty where that is not offered.
	ListMethod   string `json:"list_method,omitempty"`
	SearchMethod string `json:"search_method,omitempty"`
}

// Deprecation says why a method should no longer be called.
type Deprecation struct {
	Since     string `json:"since"`
	RemovedIn string `json:"removed_in"`
	Message   string `json:"message"`
}

// Seal fills in the hashes of s from its content: SelfHash from everything
// but the children, ChildrenHash from the children, Hash from both. Equal
// content has equal hashes on every machine, in whatever order methods and
// children were registered.
func (s *Schema) Seal() {
	methods := []string{}
	for _, m := range s.Methods {
		methods = append(methods, m.Hash)
	}
	slices.Sort(methods)
	s.SelfHash = hashOf(append([]string{s.Namespace, s.Version, s.Description, s.LongDescription}, methods...)...)
	s.ChildrenHash = ""
	if len(s.Children) > 0 {
		children := []string{}
		for _, c := range s.Children {
			children = append(children, hashOf(c.Namespace, c.Description, c.Hash))
		}
		slices.Sort(children)
		s.ChildrenHash = hashOf(children...)
	}
	s.Hash = hashOf(s.SelfHash, s.ChildrenHash)
}

// hashOf returns 16 hexadecimal digits over the parts. Each part goes in with
// its length, so that moving a byte from one to the next changes the hash.
func hashOf(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// contentHash hashes the schema's canonical JSON (RFC 8785), so that neither
// the order of a map nor the library that writes it can change the hash.
func (s MethodSchema) contentHash() string {
	s.Hash = ""
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("plugin: method %q: schema: %v", s.Name, err))
	}
	value := jsontext.Value(text)
	if err := value.Canonicalize(); err != nil {
		panic(fmt.Sprintf("plugin: method %q: schema: %v", s.Name, err))
	}
	return hashOf(string(value))
}
