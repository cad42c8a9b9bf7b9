// SPDX-License-Identifier: AGPL-3.0-only

package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/plexus-go/plexus/transport"
)

func encoded(secret string) string { return base64.RawURLEncoding.EncodeToString([]byte(secret)) }

func TestSecretOf(t *testing.T) {
	long := strings.Repeat("x", maxSecretBytes)
	offer := func(secret string) string { return "plexus, plexus.bearer." + encoded(secret) }
	for name, c := range map[string]struct {
		headers []string
		secret  string
		want    error // with no secret: nil for any other
		text    string
	}{
		"nothing":                {nil, "", transport.ErrNoCredentials, ""},
		"other headers":          {[]string{"X-Api-Key", "s", "Cookie", "a=b; token=s", "Sec-WebSocket-Protocol", "plexus, chat"}, "", transport.ErrNoCredentials, ""},
		"bearer":                 {[]string{"Authorization", "Bearer s3cr-_~+/="}, "s3cr-_~+/=", nil, ""},
		"bearer, another case":   {[]string{"authorization", "bEARER s"}, "s", nil, ""},
		"bearer, more space":     {[]string{"Authorization", "Bearer   s "}, "s", nil, ""},
		"bearer, longest":        {[]string{"Authorization", "Bearer " + long}, long, nil, ""},
		"bearer, too long":       {[]string{"Authorization", "Bearer x" + long}, "", nil, "longer than 4096"},
		"bearer without secret":  {[]string{"Authorization", "Bearer"}, "", nil, "empty"},
		"bearer of spaces":       {[]string{"Authorization", "Bearer   "}, "", nil, "empty"},
		"bearer, two in one":     {[]string{"Authorization", "Bearer a, Bearer b"}, "", nil, "characters"},
		"bearer, a tab":          {[]string{"Authorization", "Bearer a\tb"}, "", nil, "characters"},
		"bearer, a control":      {[]string{"Authorization", "Bearer a\x01b"}, "", nil, "characters"},
		"bearer, NUL":            {[]string{"Authorization", "Bearer a\x00"}, "", nil, "characters"},
		"bearer, no ASCII":       {[]string{"Authorization", "Bearer ä"}, "", nil, "characters"},
		"bearer, no UTF-8":       {[]string{"Authorization", "Bearer \xff"}, "", nil, "characters"},
		"bearer twice":           {[]string{"Authorization", "Bearer s", "Authorization", "Bearer s"}, "", nil, "more than once"},
		"basic":                  {[]string{"Authorization", "Basic czpz"}, "", errKind, ""},
		"bearer with a tab":      {[]string{"Authorization", "Bearer\ts"}, "", errKind, ""},
		"no scheme":              {[]string{"Authorization", ""}, "", errKind, ""},
		"basic and bearer":       {[]string{"Authorization", "Basic czpz", "Authorization", "Bearer s"}, "", nil, "more than once"},
		"basic and key":          {[]string{"Authorization", "Basic czpz", "X-Plexus-API-Key", "s"}, "", nil, "more than one place"},
		"key":                    {[]string{"X-Plexus-API-Key", "s"}, "s", nil, ""},
		"key, another case":      {[]string{"x-plexus-api-KEY", "s"}, "s", nil, ""},
		"key, empty":             {[]string{"X-Plexus-API-Key", ""}, "", nil, "empty"},
		"key, too long":          {[]string{"X-Plexus-API-Key", "x" + long}, "", nil, "longer"},
		"key, a space":           {[]string{"X-Plexus-API-Key", "a b"}, "", nil, "characters"},
		"key twice":              {[]string{"X-Plexus-API-Key", "s", "X-Plexus-API-Key", "s"}, "", nil, "more than one place"},
		"cookie":                 {[]string{"Cookie", "a=b; access_token=s; c"}, "s", nil, ""},
		"cookie, quoted":         {[]string{"Cookie", `access_token="s"`}, "s", nil, ""},
		"cookie, equals":         {[]string{"Cookie", `access_token=s==`}, "s==", nil, ""},
		"cookie, another case":   {[]string{"Cookie", "Access_Token=s"}, "", transport.ErrNoCredentials, ""},
		"cookie, another name":   {[]string{"Cookie", "xaccess_token=s; access_tokens=s"}, "", transport.ErrNoCredentials, ""},
		"cookie, signed out":     {[]string{"Cookie", `access_token=; access_token=""`}, "", transport.ErrNoCredentials, ""},
		"cookie twice":           {[]string{"Cookie", "access_token=s; access_token=s"}, "", nil, "more than one place"},
		"cookie in two headers":  {[]string{"Cookie", "access_token=a", "Cookie", "access_token=b"}, "", nil, "more than one place"},
		"cookie, too long":       {[]string{"Cookie", "access_token=x" + long}, "", nil, "longer"},
		"cookie, a control":      {[]string{"Cookie", "access_token=a\x7f"}, "", nil, "characters"},
		"subprotocol":            {[]string{"Sec-WebSocket-Protocol", offer("a.b")}, "a.b", nil, ""},
		"subprotocol, two lines": {[]string{"Sec-WebSocket-Protocol", "plexus.bearer." + encoded("s"), "Sec-WebSocket-Protocol", "plexus"}, "s", nil, ""},
		"subprotocol, alone":     {[]string{"Sec-WebSocket-Protocol", "plexus.bearer." + encoded("s")}, "", nil, "not offered"},
		"subprotocol, its case":  {[]string{"Sec-WebSocket-Protocol", "plexus, Plexus.Bearer." + encoded("s")}, "", nil, "lower case"},
		"subprotocol, empty":     {[]string{"Sec-WebSocket-Protocol", "plexus, plexus.bearer."}, "", nil, "empty"},
		"subprotocol, padding":   {[]string{"Sec-WebSocket-Protocol", "plexus, plexus.bearer.cw=="}, "", nil, "base64url"},
		"subprotocol, base64":    {[]string{"Sec-WebSocket-Protocol", "plexus, plexus.bearer.a+b/"}, "", nil, "base64url"},
		"subprotocol, bits":      {[]string{"Sec-WebSocket-Protocol", "plexus, plexus.bearer.cx"}, "", nil, "base64url"},
		"subprotocol, plain":     {[]string{"Sec-WebSocket-Protocol", "plexus, plexus.bearer.plx_x.y"}, "", nil, "base64url"},
		"subprotocol, too long":  {[]string{"Sec-WebSocket-Protocol", offer("x" + long)}, "", nil, "longer"},
		"subprotocol, a control": {[]string{"Sec-WebSocket-Protocol", offer("a\nb")}, "", nil, "characters"},
		"subprotocol twice":      {[]string{"Sec-WebSocket-Protocol", offer("a") + "," + offer("b")}, "", nil, "more than one place"},
		"header and key":         {[]string{"Authorization", "Bearer s", "X-Plexus-API-Key", "s"}, "", nil, "more than one place"},
		"header and cookie":      {[]string{"Authorization", "Bearer s", "Cookie", "access_token=s"}, "", nil, "more than one place"},
		"key and cookie":         {[]string{"X-Plexus-API-Key", "a", "Cookie", "access_token=b"}, "", nil, "more than one place"},
		"cookie and subprotocol": {[]string{"Cookie", "access_token=b", "Sec-WebSocket-Protocol", offer("a")}, "", nil, "more than one place"},
		"wrong key and cookie":   {[]string{"X-Plexus-API-Key", "", "Cookie", "access_token=b"}, "", nil, "more than one place"},
	} {
		t.Run(name, func(t *testing.T) {
			secret, err := secretOf(request(c.headers...).Header)
			if c.secret == "" {
				fails(t, err, c.want, c.text)
			} else if err != nil || secret != c.secret {
				t.Errorf("got %q, %v", secret, err)
			}
		})
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add("Bearer s", "", "", "")
	f.Add("", "s", "access_token=s", "plexus, plexus.bearer.cw")
	f.Add("Basic x", "", "a=b; access_token=\"s", "plexus.bearer.,plexus")
	f.Fuzz(func(t *testing.T, authorization, key, cookie, protocol string) {
		header := http.Header{}
		for name, value := range map[string]string{
			"Authorization": authorization, apiKeyHeader: key, "Cookie": cookie, "Sec-Websocket-Protocol": protocol,
		} {
			if value != "" {
				header[name] = []string{value}
			}
		}
		secret, err := secretOf(header)
		if err != nil {
			if secret != "" {
				t.Errorf("%q comes with %v", secret, err)
			}
			if errors.Is(err, transport.ErrNoCredentials) && (authorization != "" || key != "") {
				t.Errorf("%q, %q were ignored", authorization, key)
			}
			return
		}
		if checkSecrets([]string{secret}) != nil {
			t.Errorf("got %q", secret)
		}
		// It stands in exactly one place.
		sources := 0
		for name := range header {
			rest := header.Clone()
			rest.Del(name)
			if _, err := secretOf(rest); errors.Is(err, transport.ErrNoCredentials) {
				sources++
			}
		}
		if sources != 1 {
			t.Errorf("%q is in %d places of %v", secret, sources, header)
		}
	})
}
