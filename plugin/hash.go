// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

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
