// SPDX-License-Identifier: AGPL-3.0-only

package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/auth"
)

// folder is a new one for an example.
func folder() string {
	path, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	return path
}

// A token is made, told once, and kept as its hash.
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

// A handler before the WebSocket server lets in whom one authenticator knows.
func ExampleAny() {
	path := filepath.Join(folder(), "tokens.toml")
	defer os.RemoveAll(filepath.Dir(path))
	token, entry, _ := auth.NewToken("ci", []string{"registry:read"}, time.Time{})
	_ = auth.AddToken(path, entry)
	tokens, err := auth.OpenTokens(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	who := auth.Any(tokens, tokens.Certificates())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := who.Authenticate(r)
		if err != nil {
			slog.Debug("a request was refused", "remote", r.RemoteAddr, "error", err)
			auth.Refuse(w, err)
			return
		}
		caller.Remote = r.RemoteAddr
		r = r.WithContext(plugin.WithCaller(r.Context(), caller))
		fmt.Fprintln(w, "hello", plugin.CallerOf(r.Context()).Name) // here, the server of the hub
	})

	for _, secret := range []string{token, "guess", ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if secret != "" {
			r.Header.Set("X-Plexus-API-Key", secret)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello ci
	// 401 Invalid credentials
	// 401 Authentication required
}
