// SPDX-License-Identifier: AGPL-3.0-only

// Package callscope holds the key under which a hub puts what it gives to a
// call into the context of its method, where package plugin finds it.
package callscope

// Key is that key. The value has the methods of plugin's interface scope.
type Key struct{}
