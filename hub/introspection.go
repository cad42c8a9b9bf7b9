// SPDX-License-Identifier: AGPL-3.0-only

package hub

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/plexus-go/plexus/plugin"
)

// raw is JSON that was written once, to be sent as it is.
type raw []byte

func (r raw) AppendJSON(dst []byte) ([]byte, error) { return append(dst, r...), nil }

func encoded(v any) raw {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("hub: %v", err)) // schemas and hashes always encode
	}
	return text
}

// schemaParams are the parameters of every schema method.
type schemaParams struct {
	Method *string `json:"method" description:"Only this method's schema"`
}

// hashEvent is what every hash method answers with.
type hashEvent struct {
	plugin.Union `discriminator:"event" title:"HashEvent"`
	Hash         *hashValue `tag:"hash"`
}

type hashValue struct {
	Value string `json:"value"`
}

// The methods that a hub serves on behalf of every activation, and their
// descriptions.
const (
	schemaMethod      = "schema"
	hashMethod        = "hash"
	hashDescription   = "Get plexus configuration hash (from the recursive schema)\n\n This hash changes whenever any method or child plugin changes.\n It's computed from the method hashes rolled up through the schema tree."
	schemaDescription = `Get plugin or method schema. Pass {"method": "name"} for a specific method.`
)

// The methods of every activation are made from these: to make their schemas anew
// would take most of the time of a registration.
var (
	schemaTemplate = plugin.Unary(schemaMethod, schemaDescription,
		func(context.Context, schemaParams) (any, error) { return nil, nil }, plugin.Quick())
	hashTemplate = plugin.Unary(hashMethod, hashDescription,
		func(context.Context, plugin.None) (hashEvent, error) { return hashEvent{}, nil }, plugin.Quick())
	// The schema method of one method has no parameters.
	methodSchemaTemplate = plugin.Unary(schemaMethod, schemaDescription,
		func(context.Context, plugin.None) (any, error) { return nil, nil }, plugin.Quick())
)

// answering returns the template with another answer.
func answering(template plugin.Method, answer func(params any) (any, error)) plugin.Method {
	return template.With(func(plugin.Method, plugin.Handler) plugin.Handler {
		return func(_ context.Context, params any, yield func(any, error) bool) {
			if err, refused := params.(error); refused {
				yield(nil, err)
				return
			}
			yield(answer(params))
		}
	})
}

// schemaMethodOf serves a schema, the whole of it and that of each method;
// errors name methods after the prefix.
func schemaMethodOf(methods []plugin.MethodSchema, whole func() raw, prefix string) plugin.Method {
	each := map[string]raw{}
	for _, m := range methods {
		each[m.Name] = encoded(m)
	}
	return answering(schemaTemplate, func(params any) (any, error) {
		name := params.(*schemaParams).Method
		if name == nil {
			return whole(), nil
		}
		if text, ok := each[*name]; ok {
			return text, nil
		}
		return nil, notFound("Method not found: %s.%s", prefix, shown(*name))
	})
}

// methodSchemaOf serves the schema of one method.
func methodSchemaOf(m plugin.MethodSchema) plugin.Method {
	text := encoded(m)
	return answering(methodSchemaTemplate, func(any) (any, error) { return text, nil })
}

func hashMethodOf(hash func() string) plugin.Method {
	return answering(hashTemplate, func(any) (any, error) { return hashEvent{Hash: &hashValue{Value: hash()}}, nil })
}
