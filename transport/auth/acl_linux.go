// SPDX-License-Identifier: AGPL-3.0-only

package auth

import "syscall"

// hasACL reports whether more users and groups have access to a file than its mode
// says.
func hasACL(path string) bool {
	n, err := syscall.Getxattr(path, "system.posix_acl_access", nil)
	return err == nil && n > 0
}
