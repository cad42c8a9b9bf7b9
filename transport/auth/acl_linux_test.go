// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

// Whom an access control list names keeps access.
func TestEditsKeepAccessControlLists(t *testing.T) {
	_, entry := newToken(t, "one", time.Time{})
	_, another := newToken(t, "two", time.Time{})
	// The owner may read and write, user 1234 may read: version 2, then tag,
	// permission and id of each.
	list := []byte{2, 0, 0, 0,
		1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 4, 0, 0xd2, 4, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
		0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}
	listed := writeTokens(t, "")
	if err := syscall.Setxattr(listed, "system.posix_acl_access", list, 0); err != nil {
		t.Skip(err)
	}
	must(t, errors.Join(AddToken(listed, entry), AddToken(listed, another), RevokeToken(listed, "two")))
	now := make([]byte, 2*len(list))
	if n, err := syscall.Getxattr(listed, "system.posix_acl_access", now); err != nil || string(now[:n]) != string(list) {
		t.Errorf("the list is %v, %v", now[:max(n, 0)], err)
	}
}
