// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strings"
)

// node is a node of a JSON Schema, as it is written. Its zero value allows
// anything.
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

// referred is the node that this one only refers to, if it does.
func (n node) referred() (node, bool) {
	ref, whole := n.at.text("$ref"), n.at.list("allOf")
	switch {
	case ref == "#":
		return node{n.root, n.root}, true
	case ref == "" && len(whole) == 1 && n.at.get("type") == nil && n.at.object("properties") == nil:
		return n.below(whole[0]), true // how some write a reference with a description
	case ref == "":
		return n, false
	}
	for _, definitions := range []string{"$defs", "definitions"} {
		if name, ok := strings.CutPrefix(ref, "#/"+definitions+"/"); ok {
			return node{n.root, n.root.object(definitions).object(name)}, true
		}
	}
	return node{}, true
}

// resolved follows references.
func (n node) resolved() node {
	for range maxReferences {
		next, more := n.referred()
		if !more {
			return n
		}
		n = next
	}
	return node{}
}

// said is a member that describes the node: its own, or that of what it refers
// to; nil for none.
func (n node) said(name string) any {
	for range maxReferences {
		value := n.at.get(name)
		next, more := n.referred()
		if value != nil || !more {
			return value
		}
		n = next
	}
	return nil
}

// fallback is the default, as JSON; empty for none, or one that means none.
func (n node) fallback() string {
	if value := n.said("default"); value != nil {
		return compact(value)
	}
	return ""
}

// summary is the description.
func (n node) summary() string {
	text, _ := n.said("description").(string)
	return text
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

func (k kinds) has(some kinds) bool { return k&some != 0 }

// kindsOf are the kinds that a value is of: an integer is a number, too.
func kindsOf(value any) kinds {
	switch v := value.(type) {
	case nil:
		return nullKind
	case bool:
		return booleanKind
	case string:
		return textKind
	case []any:
		return listKind
	case *object:
		return objectKind
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return numberKind
		}
		return integerKind | numberKind
	}
	return 0
}

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

// rules are what a node says of its values.
type rules struct {
	kinds
	anything bool
	values   []any  // the only ones, besides null; nil where there are others
	format   string // of a text; empty where it is not in formatNames

	low, high  *big.Float // of a number; nil for none
	item       node       // of the elements of a list
	properties []property // that an object is known to have, the required ones first
	others     node       // of its other properties
	closed     bool       // there are no others
}

// property is one of an object.
type property struct {
	name string
	node
	required bool
}

// rules reads what flags, help and checks go by, in one walk. What alternatives
// say is joined; of lists and bounds, the first one counts.
func (n node) rules() (r rules) {
	left, texts := maxAlternatives, 0
	open := false // values of a kind are accepted, not only certain ones
	var list, object, bounds node
	var properties [][]property // of each alternative that is an object
	first := func(found *node, n node, names ...string) {
		if found.at == nil && slices.ContainsFunc(names, func(name string) bool { return n.at.get(name) != nil }) {
			*found = n
		}
	}
	var walk func(node)
	walk = func(n node) {
		n = n.resolved()
		if left--; n.at == nil || left < 0 {
			r.anything, open = true, true
			return
		}
		first(&list, n, "items")
		first(&object, n, "properties", "additionalProperties")
		if all := n.properties(); all != nil {
			properties = append(properties, all)
		}
		first(&bounds, n, "minimum", "maximum", "exclusiveMinimum")
		only := n.at.list("enum")
		if value, ok := n.at.values["const"]; ok {
			only = []any{value}
		}
		alternatives := slices.Concat(n.at.list("anyOf"), n.at.list("oneOf"))
		switch {
		case only != nil:
			for _, value := range only {
				if value == nil {
					r.kinds |= nullKind
				} else {
					r.values = append(r.values, value)
				}
			}
		case alternatives != nil:
			for _, alternative := range alternatives {
				if left > 0 {
					walk(n.below(alternative))
				}
			}
		default:
			accepted := n.types()
			if accepted.has(textKind) {
				texts, r.format = texts+1, n.at.text("format")
			}
			r.kinds |= accepted
			r.anything = r.anything || accepted == 0
			open = open || accepted != nullKind
		}
	}
	walk(n)
	if left <= 0 || open && r.values != nil {
		// Values and kinds side by side: the hub checks them.
		r.kinds, r.values, r.anything = 0, nil, true
	}
	if _, known := formatNames[r.format]; !known || texts > 1 {
		r.format = ""
	}
	r.low, r.high = bounds.bound("minimum"), bounds.bound("maximum")
	above := bounds.bound("exclusiveMinimum")
	if above != nil && above.IsInt() && r.has(integerKind) && (r.low == nil || above.Cmp(r.low) >= 0) {
		r.low = above.Add(above, big.NewFloat(1))
	}
	r.item = list.below(list.at.get("items"))
	r.properties = joined(properties)
	more := object.at.get("additionalProperties")
	r.others = object.below(more)
	r.closed = more == false || more == nil && r.properties != nil || !r.anything && !r.has(objectKind)
	return r
}

// joined are the properties of an object that is one of several, such as the
// variants of a union: first those that each of them requires.
func joined(alternatives [][]property) []property {
	if len(alternatives) < 2 {
		return slices.Concat(alternatives...)
	}
	schemas, required := map[string][]any{}, map[string]int{}
	var all []property
	for _, p := range slices.Concat(alternatives...) {
		if schemas[p.name] == nil {
			all = append(all, p)
		}
		schemas[p.name] = append(schemas[p.name], p.at)
		if p.required {
			required[p.name]++
		}
	}
	var first, rest []property
	for _, p := range all {
		if of := schemas[p.name]; len(of) > 1 {
			p.node = p.below(newObject("anyOf", of, "description", p.summary()))
		}
		if p.required = required[p.name] == len(alternatives); p.required {
			first = append(first, p)
		} else {
			rest = append(rest, p)
		}
	}
	return append(first, rest...)
}

// types are the kinds that a node without alternatives accepts; 0 for any.
func (n node) types() (accepted kinds) {
	for _, t := range append(slices.Clone(n.at.list("type")), n.at.get("type")) {
		i := slices.IndexFunc(kindNames, func(name kindName) bool { return t == name.schema })
		if i >= 0 {
			accepted |= 1 << i
		}
	}
	switch {
	case accepted != 0:
	case n.at.object("properties") != nil:
		return objectKind
	case n.at.get("items") != nil:
		return listKind
	}
	return accepted
}

func (n node) properties() (all []property) {
	known := n.at.object("properties")
	if known == nil {
		return nil
	}
	required := map[string]bool{}
	for _, name := range n.at.list("required") {
		required[valueText(name)] = true
	}
	for _, first := range []bool{true, false} {
		for _, name := range known.names {
			if required[name] == first {
				all = append(all, property{name, n.below(known.values[name]), first})
			}
		}
	}
	return all
}

// bound is the bound of a number; nil for none.
func (n node) bound(name string) *big.Float {
	value, _ := n.at.get(name).(json.Number)
	return number(value)
}

// number is a number as exact as anybody needs it; nil for one that is too long
// or too large.
func number(value json.Number) *big.Float {
	const maxDigits, bits = 400, 512
	if _, err := value.Float64(); err != nil || len(value) > maxDigits {
		return nil
	}
	f, _, _ := big.ParseFloat(value.String(), 10, bits, big.ToNearestEven) // Float64 read it
	return f
}

// isSwitch reports whether a flag for it needs no value: it is true then.
func (r rules) isSwitch() bool {
	return r.kinds&^nullKind == booleanKind && !r.anything && r.values == nil
}

// describe words the values for help: "TEXT", "INTEGER from 1 to 5".
func (n node) describe() string {
	lists := ""
	for r, depth := n.rules(), 0; ; r, depth = r.item.rules(), depth+1 {
		switch {
		case r.values != nil:
			return strings.Join(valueTexts(r.values), "|") + lists
		case r.anything || depth == maxNested:
			return "JSON" + lists
		case r.kinds&^nullKind != listKind:
			help, _ := r.kindWords()
			return strings.Join(help, " OR ") + r.limits() + lists
		}
		lists += " …"
	}
}

// mustBe words the values for an error: "an integer from 1 to 5".
func (r rules) mustBe() string {
	switch {
	case r.values != nil:
		return orList(valueTexts(r.values))
	case r.anything:
		return "JSON"
	}
	_, sentence := r.kindWords()
	return orList(sentence) + r.limits()
}

// kindWords are the names of the kinds. Null is named only where nothing else
// is accepted.
func (r rules) kindWords() (help, sentence []string) {
	for i, name := range kindNames {
		kind := kinds(1 << i)
		if !r.has(kind) || kind == nullKind && r.kinds != nullKind {
			continue
		}
		if kind == textKind && r.format != "" {
			name = formatNames[r.format]
		}
		help, sentence = append(help, name.help), append(sentence, name.sentence)
	}
	return help, sentence
}

// limits words the bounds of a number: " from 1 to 5". What only bounds a
// format, int64 say, says nothing to a reader.
func (r rules) limits() (words string) {
	if r.low != nil && r.low.Cmp(big.NewFloat(math.MinInt32)) > 0 {
		words = " from " + r.low.Text('f', -1)
	}
	switch {
	case r.high == nil || r.high.Cmp(big.NewFloat(math.MaxUint32)) >= 0:
	case words == "":
		words = " up to " + r.high.Text('f', -1)
	default:
		words += " to " + r.high.Text('f', -1)
	}
	return words
}

// valueText is how a value is written on the command line.
func valueText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := encode(value) // what was parsed can be encoded
	return string(text)
}

func valueTexts(values []any) (texts []string) {
	for _, value := range values {
		texts = append(texts, valueText(value))
	}
	return texts
}
