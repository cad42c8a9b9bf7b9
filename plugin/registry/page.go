// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plexus-go/plexus/storage"
)

// list returns the active entries, or all of them, the newest first: those
// that the filters let through, a page at a time where a limit is given.
func (r *Registry) list(_ context.Context, in listParams) (event, error) {
	activeOnly := valueOr(in.ActiveOnly, true)
	limit := int64(math.MaxInt64)
	if in.Limit != nil {
		limit = int64(*in.Limit)
	}
	page := &backendsEvent{}
	r.view.read(func(oldest []*entry) {
		if in.After != nil {
			last, _ := parseCursor(*in.After) // which Validate has checked
			at, _ := slices.BinarySearchFunc(oldest, last, byCreation)
			oldest = oldest[:at]
		}
		page.Backends = make([]*BackendInfo, 0, min(limit, int64(len(oldest))))
		for _, e := range slices.Backward(oldest) {
			b := &e.backend
			if activeOnly && !b.Active() ||
				in.Namespace != nil && !sameText(in.Namespace, b.Namespace) ||
				in.Source != nil && *in.Source != string(b.Source) {
				continue
			}
			if int64(len(page.Backends)) == limit {
				page.Next = cursorOf(page.Backends[limit-1])
				return
			}
			page.Backends = append(page.Backends, e.info)
		}
	})
	return event{Backends: page}, nil
}

// cursorOf returns the cursor after the last entry of a page. It stays valid when
// entries are added or deleted.
func cursorOf(last *BackendInfo) string {
	return strconv.FormatInt(last.CreatedAt, 10) + "." + hex.EncodeToString([]byte(last.ID))
}

// parseCursor returns the entry that a page ended with, as far as it orders
// entries, and whether the cursor is valid.
func parseCursor(cursor string) (*entry, bool) {
	at, id, ok := strings.Cut(cursor, ".")
	created, atErr := strconv.ParseInt(at, 10, 64)
	decoded, idErr := hex.DecodeString(id)
	return &entry{backend: storage.Backend{CreatedAt: created, ID: string(decoded)}}, ok && atErr == nil && idErr == nil
}
