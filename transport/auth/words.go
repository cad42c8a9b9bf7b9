// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// words is a list of strings, or a string of words with spaces between them.
type words []string

// UnmarshalJSON reads either.
func (w *words) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*w = list
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errors.New("scopes are neither a string nor a list of strings")
	}
	*w = strings.Fields(text)
	return nil
}
