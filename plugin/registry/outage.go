// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/plexus-go/plexus/internal/address"
)

// outage says what of our own is down, so that probes which fail by it say nothing
// about the backends.
type outage int32

const (
	resolverDown outage = iota + 1 // names can't be looked up
	networkDown
)

func (o outage) String() string {
	return []string{"nothing", "our own name resolution", "our own network"}[o]
}

// minSilent is how many entries must fall silent at once: fewer prove nothing.
const minSilent = 3

// outageOf judges a round. Our network is down if entries that passed before are
// silent now, and no other machine has answered anything: hubs of this machine can be
// reached without a network. Names can't be looked up if that has failed for
// entries that passed before, and for all others that have a name.
func outageOf(outcomes []probed) outage {
	type counts struct{ silent, heard int }
	var here, elsewhere, named counts
	for _, p := range outcomes {
		host := p.entry.backend.Host
		of, byName := &elsewhere, false
		if address.IsLoopback(host) {
			of = &here
		} else if _, err := netip.ParseAddr(host); err != nil {
			byName = true
		}
		switch {
		case isLocal(p.err):
		case !errors.Is(p.err, ErrNoAnswer):
			of.heard++
			if byName {
				named.heard++
			}
		case p.entry.passed():
			of.silent++
			if isUnresolved(p.err) {
				named.silent++
			}
		case byName && !isUnresolved(p.err):
			named.heard++ // its name was looked up
		}
	}
	switch {
	case here.silent+elsewhere.silent >= minSilent && elsewhere.heard == 0 && (elsewhere.silent > 0 || here.heard == 0):
		return networkDown
	case named.silent >= minSilent && named.heard == 0:
		return resolverDown
	}
	return 0
}

// explains reports whether a probe may have failed with err by our own fault.
func (o outage) explains(err error) bool {
	silent := errors.Is(err, ErrNoAnswer)
	return isLocal(err) || silent && o == networkDown || silent && o == resolverDown && isUnresolved(err)
}

// isUnresolved reports whether a name could not be looked up.
func isUnresolved(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// isLocal reports whether a probe failed because something is lacking on this
// machine.
func isLocal(err error) bool {
	lacks := []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL, syscall.ENETDOWN}
	return slices.ContainsFunc(lacks, func(lack error) bool { return errors.Is(err, lack) })
}
