// SPDX-License-Identifier: AGPL-3.0-only

package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
	"github.com/plexus-go/plexus/transport/client"
)

// folder is a new one for an example.
func folder() string {
	path, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	return path
}

// The token is shown once; the file has its hash.
func ExampleNewToken() {
	path := filepath.Join(folder(), "tokens.toml")
	defer os.RemoveAll(filepath.Dir(path))

	token, entry, err := auth.NewToken("ci", []string{"registry:read", "registry:write:team-a-*"}, time.Time{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := auth.AddToken(path, entry); err != nil {
		fmt.Println(err)
		return
	}
	text, _ := os.ReadFile(path)
	fmt.Println(strings.HasPrefix(token, "plx_"), strings.Contains(string(text), token))
	// Output: true false
}

func ExampleOpenTokens() {
	path := filepath.Join(folder(), "tokens.toml")
	defer os.RemoveAll(filepath.Dir(path))
	token, entry, _ := auth.NewToken("ci", []string{"registry:write:team-a-*"}, time.Time{})
	_ = auth.AddToken(path, entry)

	tokens, err := auth.OpenTokens(path, slog.Default())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // follows the file until the program stops
		defer close(done)
		tokens.Run(ctx)
	}()

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	caller, err := tokens.Authenticate(r)
	fmt.Println(caller.Name, caller.Means, caller.May("registry:write:team-a-web"), caller.May("registry:write:web"), err)

	stop()
	<-done
	// Output: ci token true false <nil>
}

// Keys at a URL are fetched by Run, or when the first token comes.
func ExampleNewJWT() {
	jwts, err := auth.NewJWT(auth.JWTConfig{
		JWKS:        "https://issuer.example/.well-known/jwks.json",
		Issuer:      "https://issuer.example",
		Audience:    "plexus",
		ScopePrefix: "registry:",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	// {"alg":"none"}
	r.AddCookie(&http.Cookie{Name: "access_token", Value: "eyJhbGciOiJub25lIn0.e30."})
	_, err = jwts.Authenticate(r)
	fmt.Println(err != nil)
	// Output: true
}

// A hub that accepts tokens, and client certificates that the same file names.
func ExampleAny() {
	path := filepath.Join(folder(), "tokens.toml")
	defer os.RemoveAll(filepath.Dir(path))
	_, entry, _ := auth.NewToken("ci", []string{"registry:read"}, time.Time{})
	_ = auth.AddToken(path, entry)
	tokens, err := auth.OpenTokens(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := hub.New("my-hub")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := transport.New(h, transport.WithAuthentication(auth.Any(tokens.Authenticate, tokens.AuthenticateCertificate)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()

	// A client without a token.
	_, err = client.Info(ctx, "ws://"+l.Addr().String())
	fmt.Println(err != nil)
	stop()
	fmt.Println(<-done)
	// Output:
	// true
	// <nil>
}
