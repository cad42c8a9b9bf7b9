// SPDX-License-Identifier: AGPL-3.0-only

package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/transport"
	"github.com/plexus-go/plexus/transport/auth"
	"github.com/plexus-go/plexus/transport/client"
)

// A hub that accepts only clients with a token, or with a client certificate that
// the token file names.
func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "tokens.toml")

	// The token is shown once; the file has its hash.
	token, entry, err := auth.NewToken("ci", []string{"registry:read", "registry:write:team-a-*"}, time.Time{})
	err = errors.Join(err, auth.AddToken(path, entry))
	text, _ := os.ReadFile(path)
	fmt.Println(strings.HasPrefix(token, "plx_"), strings.Contains(string(text), token), err)

	callers, errTokens := auth.New(auth.Config{Tokens: path, Certificates: true})
	h, errHub := hub.New("my-hub")
	l, errListen := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(errTokens, errHub, errListen); err != nil {
		fmt.Println(err)
		return
	}
	server := transport.New(h, transport.WithLogger(slog.New(slog.DiscardHandler)), callers.Option())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(ctx, l) })

	url := transport.LocalURL(l.Addr(), false)
	info, err := client.Info(ctx, url, client.WithToken(token))
	fmt.Println(info.Name, err)
	_, err = client.Info(ctx, url)
	fmt.Println(err != nil)
	stop()
	running.Wait()
	// Output:
	// true false <nil>
	// my-hub <nil>
	// true
}

// Keys at a URL are fetched by Run, or when the first token comes.
func ExampleNew_jwt() {
	jwts, err := auth.New(auth.Config{JWT: auth.JWTConfig{
		JWKS:        "https://issuer.example/.well-known/jwks.json",
		Issuer:      "https://issuer.example",
		Audience:    "plexus",
		ScopePrefix: "registry:",
	}})
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
