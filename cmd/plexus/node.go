// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// node is a node of a JSON Schema. Its zero value allows anything.
type node struct {
	root *object // where references lead
	at   *object // nil allows anything
}

// schemaNode is the root of a JSON Schema, as parse returns it.
func schemaNode(value any) node {
	o, _ := value.(*object)
	return node{o, o}
}

// below is the node that a member of this one holds.
func (n node) below(value any) node {
	o, _ := value.(*object)
	return node{n.root, o}
}

// maxReferences bounds the references that are followed one after the other,
// maxAlternatives the alternatives that are read: they may refer to each other
// again and again.
const (
	maxReferences   = 16
	maxAlternatives = 1 << 12
)

// resolved follows references.
func (n node) resolved() node {
	for range maxReferences {
		ref, whole := n.at.text("$ref"), n.at.list("allOf")
		switch {
		case ref != "":
			n = n.target(ref)
		case len(whole) == 1 && n.at.values["type"] == nil && n.at.object("properties") == nil:
			n = n.below(whole[0]) // how some write a reference with a description
		default:
			return n
		}
	}
	return node{}
}

// target is what a reference leads to.
func (n node) target(ref string) node {
	for _, definitions := range []string{"$defs", "definitions"} {
		if name, ok := strings.CutPrefix(ref, "#/"+definitions+"/"); ok {
			return node{n.root, n.root.object(definitions).object(name)}
		}
	}
	if ref == "#" {
		return node{n.root, n.root}
	}
	return node{}
}

// alternatives are those of anyOf and oneOf.
func (n node) alternatives() (all []node) {
	for _, value := range slices.Concat(n.at.list("anyOf"), n.at.list("oneOf")) {
		all = append(all, n.below(value))
	}
	return all
}

// kinds is a set of kinds of JSON values.
type kinds uint8

const (
	textKind kinds = 1 << iota
	booleanKind
	integerKind
	numberKind
	listKind
	objectKind
	nullKind
)

// kindName is how a kind is called in JSON Schemas, in help and in sentences.
type kindName struct{ schema, help, sentence string }

// kindNames are the names of the kinds, in the same order.
var kindNames = []kindName{
	{"string", "TEXT", "a text"},
	{"boolean", "BOOLEAN", "true or false"},
	{"integer", "INTEGER", "an integer"},
	{"number", "NUMBER", "a number"},
	{"array", "LIST", "a list"},
	{"object", "OBJECT", "an object"},
	{"null", "NULL", "null"},
}

// formatNames are those of texts whose format is known here.
var formatNames = map[string]kindName{
	"duration":  {"string", "DURATION (90s, PT1M30S)", "a duration such as 90s or PT1M30S"},
	"date-time": {"string", "DATE-TIME", "a date and time such as 2006-01-02T15:04:05Z"},
}

// accepted are the values that a node accepts.
type accepted struct {
	kinds
	anything bool
	// values are the only ones, besides null; nil where there are others.
	values []any
}

func (a accepted) has(k kinds) bool { return a.kinds&k != 0 }

func (n node) accepts() accepted {
	left := maxAlternatives
	return n.acceptsWithin(&left)
}

func (n node) acceptsWithin(left *int) (a accepted) {
	n = n.resolved()
	if *left--; n.at == nil || *left < 0 {
		return accepted{anything: true}
	}
	only := n.at.list("enum")
	if value, ok := n.at.values["const"]; ok {
		only = []any{value}
	}
	if only != nil {
		for _, value := range only {
			if value == nil {
				a.kinds |= nullKind
				continue
			}
			a.values = append(a.values, value)
		}
		return a
	}
	if alternatives := n.alternatives(); len(alternatives) > 0 {
		open := false
		for _, alternative := range alternatives {
			other := alternative.acceptsWithin(left)
			if *left < 0 {
				return accepted{anything: true}
			}
			a.anything, a.kinds, a.values = a.anything || other.anything, a.kinds|other.kinds, append(a.values, other.values...)
			open = open || other.values == nil && (other.kinds != nullKind || other.anything)
		}
		if open && a.values != nil {
			// Values and kinds side by side: the hub checks them.
			return accepted{anything: true}
		}
		return a
	}
	for _, t := range append(slices.Clone(n.at.list("type")), n.at.values["type"]) {
		for i, name := range kindNames {
			if t == name.schema {
				a.kinds |= 1 << i
			}
		}
	}
	switch {
	case a.kinds != 0:
	case n.at.object("properties") != nil:
		a.kinds = objectKind
	case n.at.values["items"] != nil:
		a.kinds = listKind
	default:
		a.anything = true
	}
	return a
}

// isSwitch reports whether a flag for it needs no value: it is true then.
func (a accepted) isSwitch() bool {
	return a.kinds&^nullKind == booleanKind && !a.anything && a.values == nil
}

// item is the node of the elements of a list.
func (n node) item() node {
	n = n.open(func(o *object) bool { return o.values["items"] != nil })
	if n.at == nil {
		return node{}
	}
	return n.below(n.at.values["items"])
}

// open finds the alternative that has what is wanted, of a node that may also
// be null, say; the zero node where there is none.
func (n node) open(wanted func(*object) bool) node {
	n = n.resolved()
	if n.at == nil || wanted(n.at) {
		return n
	}
	for _, alternative := range n.alternatives() {
		if found := alternative.resolved(); found.at != nil && wanted(found.at) {
			return found
		}
	}
	return node{}
}

// property is one of an object.
type property struct {
	name string
	node
	required bool
}

// properties are those that an object is known to have, the required ones
// first; nil for what is no object, or one of any properties.
func (n node) properties() (all []property) {
	n = n.open(func(o *object) bool { return o.object("properties") != nil })
	known := n.at.object("properties")
	if known == nil {
		return nil
	}
	required := map[any]bool{}
	for _, name := range n.at.list("required") {
		if name, ok := name.(string); ok {
			required[name] = true
		}
	}
	var optional []property
	for _, name := range known.names {
		if required[name] {
			all = append(all, property{name, n.below(known.values[name]), true})
		} else {
			optional = append(optional, property{name, n.below(known.values[name]), false})
		}
	}
	return append(all, optional...)
}

// others reports whether an object may have properties that are not listed, as
// one that lists none must, and returns their node.
func (n node) others() (node, bool) {
	n = n.open(func(o *object) bool { return o.object("properties") != nil || o.values["additionalProperties"] != nil })
	if n.at == nil {
		return node{}, true
	}
	switch other := n.at.values["additionalProperties"]; other {
	case nil:
		return node{}, n.at.object("properties") == nil || len(n.at.object("properties").names) == 0
	case false:
		return node{}, false
	default:
		return n.below(other), true
	}
}

// describe words the values for help: "TEXT", "INTEGER from 1 to 5".
func (n node) describe() string { return n.describeWithin(maxNested) }

func (n node) describeWithin(depth int) string {
	a := n.accepts()
	switch {
	case a.values != nil:
		return strings.Join(valueTexts(a.values), "|")
	case a.anything || depth == 0:
		return "JSON"
	case a.kinds&^nullKind == listKind:
		return n.item().describeWithin(depth-1) + " …"
	}
	help, _ := n.kindWords()
	return strings.Join(help, " OR ") + n.limits()
}

// mustBe words the values for an error: "an integer from 1 to 5".
func (n node) mustBe() string {
	a := n.accepts()
	switch {
	case a.values != nil:
		return orList(valueTexts(a.values))
	case a.anything:
		return "JSON"
	}
	_, sentence := n.kindWords()
	return orList(sentence) + n.limits()
}

// kindWords are the names of the kinds. Null is named only where nothing else
// is accepted.
func (n node) kindWords() (help, sentence []string) {
	a := n.accepts()
	if a.kinds != nullKind {
		a.kinds &^= nullKind
	}
	for i, name := range kindNames {
		if !a.has(1 << i) {
			continue
		}
		if format, known := formatNames[n.format()]; known && 1<<i == textKind {
			name = format
		}
		help, sentence = append(help, name.help), append(sentence, name.sentence)
	}
	return help, sentence
}

// limits words the bounds of a number: " from 1 to 5". What only bounds a
// format, int64 say, says nothing to a reader.
func (n node) limits() (words string) {
	low, high := n.bounds()
	if low != nil && *low > math.MinInt32 {
		words = " from " + decimal(*low)
	}
	switch {
	case high == nil || *high >= math.MaxUint32:
	case words == "":
		words = " up to " + decimal(*high)
	default:
		words += " to " + decimal(*high)
	}
	return words
}

// bounds are those of a number; nil for none.
func (n node) bounds() (low, high *float64) {
	n = n.open(func(o *object) bool { return o.values["minimum"] != nil || o.values["maximum"] != nil })
	bound := func(name string) *float64 {
		value, _ := n.at.get(name).(json.Number)
		if f, err := value.Float64(); err == nil {
			return &f
		}
		return nil
	}
	return bound("minimum"), bound("maximum")
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// fallback is the default, as JSON; empty for none, or one that means none.
func (n node) fallback() string {
	for range maxReferences {
		if value := n.at.get("default"); value != nil {
			return compact(value)
		}
		ref := n.at.text("$ref")
		if ref == "" {
			return ""
		}
		n = n.target(ref)
	}
	return ""
}

// summary is the description, or that of what is referred to.
func (n node) summary() string {
	if own := n.at.text("description"); own != "" {
		return own
	}
	return n.resolved().at.text("description")
}

// valueText is how a value is written on the command line.
func valueText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := encode(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

func valueTexts(values []any) (texts []string) {
	for _, value := range values {
		texts = append(texts, valueText(value))
	}
	return texts
}
