// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import (
	"context"
	"fmt"
	"strings"
)

// Activation is what a hub hosts under a namespace. Define is called once,
// when the activation is registered.
type Activation interface {
	Define() Definition
}

// Starter is an [Activation] that prepares something before its first call: it
// opens what it needs, or starts a goroutine. A hub calls Start when the
// activation is registered, then that of its children. If one fails, the
// registration fails.
//
// ctx lasts until the activation is unregistered and its calls have ended, so
// goroutines can use it. [Call] and [Logger] work with it. If the activation is
// an io.Closer, Close is called after that, and should wait for the goroutines.
type Starter interface {
	Activation
	Start(ctx context.Context) error
}

// Definition describes an activation: what its schema says, and its methods. It
// is an [Activation] itself: one without state needs no other type.
type Definition struct {
	// Namespace is the name that calls begin with: letters, digits, '-' and
	// '_', at most 64 bytes.
	Namespace string
	// Version is a semantic version, "1.0.0"; empty is "0.0.0".
	Version string
	// Description is one line about what it is for.
	Description string
	// LongDescription is the rest; empty for none.
	LongDescription string
	// Methods in the order in which the schema shows them. The names
	// "schema" and "hash" are reserved: the hub serves them itself.
	Methods []Method
	// Children are activations below this one, at a path that begins with
	// its own: "solar.earth.info". Their namespaces and the names of the
	// methods must differ.
	Children []Activation
	// Dynamic finds more children at run time; nil for none.
	Dynamic *Dynamic
	// Middleware goes around every method of Methods and the methods that find
	// dynamic children; the first is the outermost. It does not go around the
	// methods of children, nor around the Find that leads there.
	Middleware []Middleware
	// Resolve returns what a [Handle] of this activation stands for; nil for an
	// activation without handles. It may fail with an [Error].
	Resolve func(ctx context.Context, h Handle) (any, error)
}

var _ Activation = Definition{}

// Define returns d itself.
func (d Definition) Define() Definition { return d }

// maxNameBytes bounds the names of namespaces and methods.
const maxNameBytes = 64

// defaultVersion is what an empty version stands for.
const defaultVersion = "0.0.0"

// ValidateName checks the name of a hub, an activation or a method: a letter,
// then letters, digits, '-' and '_', at most 64 bytes, all ASCII. A dot would
// be a path.
func ValidateName(name string) error {
	bad := name == "" || len(name) > maxNameBytes || !isLetter(rune(name[0])) ||
		strings.ContainsFunc(name, func(r rune) bool {
			return !isLetter(r) && !('0' <= r && r <= '9') && r != '-' && r != '_'
		})
	if bad {
		return fmt.Errorf("%q is malformed: a letter, then letters, digits, '-' and '_', at most %d bytes", name, maxNameBytes)
	}
	return nil
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
