// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import "github.com/google/jsonschema-go/jsonschema"

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

// ChildSchema is what a schema tells of each child.
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
	// Params is nil for a method without parameters, Returns for one whose
	// content may be anything.
	Params        *jsonschema.Schema `json:"params,omitempty"`
	Returns       *jsonschema.Schema `json:"returns,omitempty"`
	Streaming     bool               `json:"streaming"`
	Bidirectional bool               `json:"bidirectional"`
	HTTPMethod    string             `json:"http_method"`
	Role          Role               `json:"role"`
}

// Role tells clients what a method is to them: "rpc" for one to call.
type Role struct {
	Kind string `json:"kind"`
}

// Seal fills in the hashes of s from its content: SelfHash from everything
// but the children, ChildrenHash from the children in the order given, Hash
// from both. Equal content has equal hashes on every machine.
func (s *Schema) Seal() {
	self := []string{s.Namespace, s.Version, s.Description, s.LongDescription}
	for _, m := range s.Methods {
		self = append(self, m.Hash)
	}
	s.SelfHash = hashOf(self...)
	s.ChildrenHash = ""
	if len(s.Children) > 0 {
		children := []string{}
		for _, c := range s.Children {
			children = append(children, c.Namespace, c.Description, c.Hash)
		}
		s.ChildrenHash = hashOf(children...)
	}
	s.Hash = hashOf(s.SelfHash, s.ChildrenHash)
}
