// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"encoding/json"

	"github.com/plexus-go/plexus/internal/codec"
)

// Union is embedded in a struct to make it a tagged union: exactly one of the
// struct's other fields is set, each a pointer to the struct of one variant.
// In JSON it is that variant's object with one more member, the
// discriminator, whose value is the variant's tag:
//
//	type Shape struct {
//		plugin.Union `discriminator:"kind" description:"What can be drawn"`
//		Circle       *Circle `tag:"circle" description:"Round"`
//		Square       *Square `tag:"square" description:"Not round"`
//	}
//
//	Shape{Circle: &Circle{Radius: 2}} // {"kind":"circle","radius":2}
//
// The one declaration serves the encoding and the schema, a oneOf with const
// tags. The title of the schema is the name of the type, or the tag title.
type Union = codec.Union

// Choice is one value of an [Enumerated] type, or one option of a [Select]: a
// Value, its Description (empty for none), and the Label by which people
// choose it (empty for Value itself).
type Choice = codec.Choice

// Enumerated is implemented by a string type with a closed set of values.
// Enum is called on its zero value. A type that has a method EnumDescription,
// returning a string, has it called for the description of the whole set.
type Enumerated interface {
	Enum() []Choice
}

// Schematic is implemented by a type that gives its own JSON Schema. JSONSchema
// is called on its zero value:
//
//	func (Color) JSONSchema() json.RawMessage { return json.RawMessage(`{"type":"string"}`) }
type Schematic interface {
	JSONSchema() json.RawMessage
}

// Appender is implemented by content that writes its own JSON, for speed: one
// valid value without line breaks, which is sent as it is. It must not call
// [Progress], [Ask] or yield of its own stream. Content that may be large also
// has a method SizeJSON() int, which estimates how many bytes it will append; an
// estimate that is too large is better than one that is too small.
type Appender interface {
	AppendJSON(dst []byte) ([]byte, error)
}
