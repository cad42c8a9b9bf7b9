// SPDX-License-Identifier: AGPL-3.0-only

package plugin

import "context"

// Starter is an [Activation] that has something to do before it is called: to
// open what it needs, or to begin what runs beside its calls. A hub starts it,
// and its children after it, when it is registered; if that fails, the hub is
// as it was.
//
// ctx is not over when Start returns, but when the activation is unregistered
// and its calls have ended: what Start begins can live by it. [Call] and
// [Logger] work with it.
//
// An activation that is an io.Closer is closed after that: there it waits for
// what it has begun.
type Starter interface {
	Activation
	Start(ctx context.Context) error
}
