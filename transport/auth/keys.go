// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // refuses a key that is there twice

	"github.com/plexus-go/plexus/internal/filewatch"
)

const (
	maxKeys = 100
	// minRSABits is what RFC 7518 asks for.
	minRSABits = 2048
)

// keySource is where the keys of an issuer come from.
type keySource interface {
	// find returns the key with an id that an algorithm may be used with.
	find(ctx context.Context, id string, algorithm jose.SignatureAlgorithm) (any, error)
	// run keeps the keys current until ctx is done, and calls changed when it has
	// read them again.
	run(ctx context.Context, changed func())
	// problem returns why the keys can't be read again, and nil where they can.
	problem() error
}

// keyFile is a JWKS in a file, which is read again when it changes.
type keyFile struct {
	log *slog.Logger
	set *filewatch.Loaded[keySet]
}

func openKeyFile(path string, log *slog.Logger) (*keyFile, error) {
	set, err := filewatch.Load(func(files []filewatch.File) (keySet, error) {
		set, ignored, err := parseKeys(files[0].Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		log.Info("signing keys were read", "file", path, "keys", len(set), "ignored", ignored)
		return set, nil
	}, maxFileBytes, path)
	return &keyFile{log, set}, err
}

func (f *keyFile) run(ctx context.Context, changed func()) {
	f.set.Follow(ctx, f.log, "the former signing keys stay in use", changed)
}

func (f *keyFile) find(_ context.Context, id string, algorithm jose.SignatureAlgorithm) (any, error) {
	return f.set.Get().find(id, algorithm)
}

func (f *keyFile) problem() error { return f.set.Err() }

var errUnknownKey = errors.New("no such key")

// keySet is the keys of an issuer that a signature can be checked with.
type keySet []jose.JSONWebKey

// parseKeys reads a JWKS, {"keys": […]}. As RFC 7517 says, it ignores keys that it
// can't use; if none is left, that is an error. A secret key is an error too:
// whoever can read this file could sign.
func parseKeys(data []byte) (set keySet, ignored int, err error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, 0, fmt.Errorf("not a JWKS: %w", err)
	}
	if len(document.Keys) > maxKeys {
		return nil, 0, fmt.Errorf("more than %d keys", maxKeys)
	}
	for i, raw := range document.Keys {
		var secret struct {
			Type    string          `json:"kty"`
			Private json.RawMessage `json:"d"`
		}
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &secret) == nil && (secret.Type == "oct" || secret.Private != nil) {
			return nil, 0, fmt.Errorf("key %d is secret: only public keys belong here", i+1)
		}
		if json.Unmarshal(raw, &key) != nil || !usable(key) {
			ignored++
			continue
		}
		set = append(set, key)
	}
	if len(set) == 0 {
		return nil, 0, fmt.Errorf("none of its %d keys can be used", len(document.Keys))
	}
	return set, ignored, nil
}

func usable(key jose.JSONWebKey) bool {
	if public, ok := key.Key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
		return false
	}
	return key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig")
}

// find returns the one key that has the id and fits the algorithm; without an id,
// the only one that fits.
func (s keySet) find(id string, algorithm jose.SignatureAlgorithm) (found any, err error) {
	for _, key := range s {
		if (id != "" && key.KeyID != id) || !fits(key, algorithm) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("several keys have the id %.64q and fit the algorithm %s", id, algorithm)
		}
		found = key.Key
	}
	if found == nil {
		return nil, fmt.Errorf("%w: id %.64q, algorithm %s", errUnknownKey, id, algorithm)
	}
	return found, nil
}

// keyKinds are the supported algorithms, all for public keys, with the kind of key
// that each needs.
var keyKinds = map[jose.SignatureAlgorithm]string{
	jose.RS256: "RSA", jose.RS384: "RSA", jose.RS512: "RSA",
	jose.PS256: "RSA", jose.PS384: "RSA", jose.PS512: "RSA",
	jose.ES256: "P-256", jose.ES384: "P-384", jose.ES512: "P-521",
	jose.EdDSA: "Ed25519",
}

// fits reports whether a key is for the algorithm, so that it is not used in
// another way than its owner meant.
func fits(key jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return keyKinds[algorithm] == "RSA"
	case *ecdsa.PublicKey:
		return keyKinds[algorithm] == public.Curve.Params().Name
	case ed25519.PublicKey:
		return keyKinds[algorithm] == "Ed25519"
	}
	return false
}
