// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
)

// A token is plx_ and, in base64url, 32 random bytes and their CRC-32: 52
// characters. Scanners recognise one that leaked by its beginning; the sum tells
// a mistyped one from a wrong one.
//
// Of a token, SHA-256 is kept. It would be no good for passwords, which can be
// guessed at billions a second; 2^256 random numbers can't be guessed at all,
// and a slow hash would only make every request slow.
const (
	tokenPrefix = "plx_"
	tokenBytes  = 32
	tokenDigits = (tokenBytes + crc32.Size) * 4 / 3 // behind the prefix
	hashPrefix  = "sha256:"
)

// digest is the SHA-256 of a token as it is written.
type digest [sha256.Size]byte

func (d digest) String() string { return hashPrefix + hex.EncodeToString(d[:]) }

// randomToken makes a new token, and its digest.
func randomToken() (string, digest) {
	random := make([]byte, tokenBytes, tokenBytes+crc32.Size)
	_, _ = rand.Read(random) // never fails
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(random, crc32.ChecksumIEEE(random)))
	return token, sha256.Sum256([]byte(token))
}

// digestOf returns the digest of a token. Only what has the form of one has a
// digest, so that nothing that could be guessed is ever looked up.
func digestOf(token string) (digest, error) {
	encoded, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(encoded) != tokenDigits {
		return digest{}, errors.New("not a token of the form " + tokenPrefix + "…")
	}
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(decoded) != tokenBytes+crc32.Size ||
		binary.BigEndian.Uint32(decoded[tokenBytes:]) != crc32.ChecksumIEEE(decoded[:tokenBytes]) {
		return digest{}, errors.New("a token that is mistyped: its check sum is wrong")
	}
	return sha256.Sum256([]byte(token)), nil
}

// holdsToken reports whether there is a token in the text.
func holdsToken(text string) bool {
	for text != "" {
		_, text, _ = strings.Cut(text, tokenPrefix)
		if _, err := digestOf(tokenPrefix + text[:min(len(text), tokenDigits)]); err == nil {
			return true
		}
	}
	return false
}

// parseDigest reads what [digest.String] writes. The error does not quote the
// text, which may be a secret.
func parseDigest(text string) (d digest, err error) {
	encoded, ok := strings.CutPrefix(text, hashPrefix)
	if !ok || len(encoded) != 2*len(d) || encoded != strings.ToLower(encoded) {
		return d, errors.New("is not " + hashPrefix + " and 64 hexadecimal digits in lower case")
	}
	if _, err := hex.Decode(d[:], []byte(encoded)); err != nil {
		return d, errors.New("has other characters than hexadecimal digits after " + hashPrefix)
	}
	return d, nil
}
