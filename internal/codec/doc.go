// SPDX-License-Identifier: AGPL-3.0-only

// Package codec converts between Go types, their JSON and their JSON Schema.
//
// [AppendJSON] writes the content of items, [DecodeJSON] reads it back. A
// method's parameter type becomes [Parameters], which decode and check what a
// caller sends; its result type becomes a schema by [ResultSchema]. All of
// them know unions, enumerations and durations, whose forms in JSON differ
// from those of encoding/json.
//
//	append.go    content to JSON
//	decode.go    JSON to content; how errors name the value at fault
//	wording.go   the words of these errors
//	union.go     tagged unions
//	duration.go  durations
//	number.go    numbers as text
//	params.go    parameters, by name and by position
//	nested.go    what is missing inside of parameters
//	default.go   defaults
//	infer.go     JSON Schemas
//	fields.go    the JSON members of a struct
//	tag.go       faults of tags
package codec
