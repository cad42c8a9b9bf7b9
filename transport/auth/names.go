// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameBytes  = 256
	maxScopeBytes = 512
)

// checkName says what keeps a name from being a caller's. Names are shown in
// logs and lists, so they have no characters that are not seen.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxNameBytes:
		return fmt.Errorf("is longer than %d bytes", maxNameBytes)
	case !utf8.ValidString(name):
		return errors.New("is not valid UTF-8")
	case strings.TrimSpace(name) != name:
		return errors.New("begins or ends with space")
	case strings.ContainsFunc(name, unprintable):
		return errors.New("contains a character that is not printable")
	}
	return nil
}

// checkScope says what keeps text from being a scope as [plugin.Caller] has them.
func checkScope(scope string) error {
	switch {
	case scope == "":
		return errors.New("is empty")
	case len(scope) > maxScopeBytes:
		return fmt.Errorf("is longer than %d bytes", maxScopeBytes)
	case !utf8.ValidString(scope):
		return errors.New("is not valid UTF-8")
	case strings.TrimSpace(scope) != scope:
		return errors.New("begins or ends with space")
	case strings.ContainsFunc(scope, unprintable):
		return errors.New("contains a character that is not printable")
	case slices.Contains(strings.Split(scope, ":"), ""):
		return errors.New("has an empty word beside a colon")
	case strings.Contains(scope[:len(scope)-1], "*"):
		return errors.New("has a star that is not at its end")
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
