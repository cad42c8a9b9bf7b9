// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/plexus-go/plexus/internal/wire"
)

// Operation is what is asked of the hub, again and again.
type Operation string

// The operations.
const (
	Get      Operation = "get"      // one backend by its name
	List     Operation = "list"     // a page of up to 100 backends
	Ping     Operation = "ping"     // the health of a backend, a write
	Register Operation = "register" // a backend that exists, again: a write
	Info     Operation = "info"     // the name of the hub
	Mixed    Operation = "mixed"    // 80 % get, 10 % list, 5 % ping, 5 % register
)

// Operations returns all of them.
func Operations() []Operation { return []Operation{Get, List, Ping, Register, Info, Mixed} }

// share is how often an operation is done, of a hundred.
type share struct {
	Operation
	percent int
}

// blend says what an operation is made of; nil for one that does not exist.
func (o Operation) blend() []share {
	switch o {
	case Get, List, Ping, Register, Info:
		return []share{{o, 100}}
	case Mixed:
		return []share{{Get, 80}, {List, 10}, {Ping, 5}, {Register, 5}}
	}
	return nil
}

// pick chooses from a blend, by its index.
func pick(blend []share, random *rand.Rand) int {
	if len(blend) == 1 {
		return 0
	}
	left := random.IntN(100)
	for i, s := range blend {
		if left -= s.percent; left < 0 {
			return i
		}
	}
	return len(blend) - 1
}

// pageLimit is how many backends a page of a list has at most.
const pageLimit = 100

// request is the frame of an operation, to be sent many times: its id, and the
// digits of the backend that it is about, are written over.
type request struct {
	frame   []byte
	backend int // where the digits begin; 0 for none
}

// idAt is where the id of a request begins. The bare server knows it too.
const idAt = len(`{"jsonrpc":"2.0","id":`)

// newRequest makes the request for an operation at the hub of that name.
func newRequest(o Operation, hub string, b *backends) request {
	var params []byte
	switch o {
	case Info:
		return request{frame: wire.AppendRequest(nil, firstID, wire.InfoMethod, []byte("null"))}
	case List:
		params = fmt.Appendf(nil, `{"limit":%d}`, pageLimit)
	case Register:
		params = b.params(0)
	default:
		params = fmt.Appendf(nil, `{"name":%q}`, b.name(0))
	}
	r := request{frame: wire.AppendCall(nil, firstID, hub, "registry."+string(o), params)}
	if at := bytes.Index(r.frame, []byte(b.name(0))); at >= 0 {
		r.backend = at + len(b.prefix)
	}
	return r
}

// clone is for a connection of its own.
func (r request) clone() request { return request{bytes.Clone(r.frame), r.backend} }

// fill writes an id and the number of a backend into the frame.
func (r request) fill(id, backend int) {
	writeDigits(r.frame[idAt:idAt+idDigits], id)
	if r.backend > 0 {
		writeDigits(r.frame[r.backend:r.backend+backendDigits], backend)
	}
}

// An id is 16 digits: seven ones, the index in the blend (1 digit), a number
// that grows with each use of the slot (4), the slot (4). All ids have the same
// length, and so have their ends that begin with a one, which the bare server
// makes its subscriptions of.
const (
	idDigits = 16
	firstID  = 1111111_0_0000_0000
	useUnit  = 1_0000
	kindUnit = 1_0000_0000
	kindAt   = 7 // the digit of an id
)

func newID(kind, use, slot int) int {
	return firstID + kind*kindUnit + use%(kindUnit/useUnit)*useUnit + slot
}

// writeDigits fills all of dst with the last digits of n.
func writeDigits(dst []byte, n int) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}
