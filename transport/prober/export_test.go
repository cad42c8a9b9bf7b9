// SPDX-License-Identifier: AGPL-3.0-only

package prober

// MayHaveToken is for tests: no host elsewhere can be asked.
func MayHaveToken(c *Credentials, url string) bool { return c.mayHaveToken(url) }
