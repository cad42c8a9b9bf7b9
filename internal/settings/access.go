// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"errors"
	"net/netip"

	"github.com/plexus-go/plexus/plugin/registry"
)

// access is the settings of access control.
func (s *Registry) access() Table {
	file := func(path *string) Value { return one(path, parseFile) }
	acme := &s.TLS.ACME
	s.JWT.ScopePrefix = registry.Namespace + ":"
	return Table{
		{Group: "Access control",
			Name: "insecure", Variable: "REGISTRY_INSECURE", Value: one(&s.Insecure, parseBool),
			Help: "Serve other machines without TLS or without authentication: whoever reaches the port, or a proxy before it, can then read, or write."},
		{Name: "allowed-host", Variable: "REGISTRY_ALLOWED_HOSTS", Kind: "name", Value: listOf(&s.AllowedHosts, parseAllowedHost),
			Default: "loopback names; any, if other machines are served",
			Help:    "Host names by which clients may reach the registry, in addition to those of this machine, separated by commas or in several flags."},
		{Name: "allowed-origin", Variable: "REGISTRY_ALLOWED_ORIGINS", Kind: "origin", Value: listOf(&s.AllowedOrigins, parseOrigin),
			Default: "pages from this machine, if only it is served",
			Help:    "Web pages that may connect, by their origin, such as https://app.example, separated by commas or in several flags."},
		{Name: "trusted-proxy", Variable: "REGISTRY_TRUSTED_PROXIES", Kind: "network", Value: listOf[netip.Prefix](&s.TrustedProxies, parseNetwork),
			Default: "none",
			Help:    "Addresses or networks, such as 10.0.0.0/8, of proxies whose X-Forwarded-For is trusted, separated by commas or in several flags. Callers behind others need credentials."},

		{Name: "tls-cert", Variable: "REGISTRY_TLS_CERT", Kind: "file", Value: file(&s.TLS.CertFile), Default: "no TLS",
			Help: "Certificate to serve wss:// with, and its chain, as PEM. It is read again when it changes."},
		{Name: "tls-key", Variable: "REGISTRY_TLS_KEY", Kind: "file", Value: file(&s.TLS.KeyFile), Default: "none",
			Help: "Private key of the certificate, as PEM."},
		{Name: "tls-client-ca", Variable: "REGISTRY_TLS_CLIENT_CA", Kind: "file", Value: file(&s.TLS.ClientCAFile),
			Default: "clients are not asked for certificates",
			Help:    "Certificate authorities, as PEM, whose certificates clients may authenticate with; the file of tokens says what each allows."},
		{Name: "acme-name", Variable: "REGISTRY_ACME_NAMES", Kind: "name", Value: listOf(&acme.Names, parsePublicName), Default: "none",
			Help: "Public names to get a certificate for by ACME, instead of --tls-cert: port 443 of each must lead here. Separated by commas or in several flags."},
		{Name: "acme-cache", Variable: "REGISTRY_ACME_CACHE", Kind: "folder", Value: file(&acme.Cache), Default: "acme in the folder of the database",
			Help: "Folder to keep the certificates in."},
		{Name: "acme-directory", Variable: "REGISTRY_ACME_DIRECTORY", Kind: "url", Value: one(&acme.Directory, parseDirectory), Default: "Let's Encrypt",
			Help: "Certificate authority to use, by the URL of its ACME directory. By using it you agree to its terms."},
		{Name: "acme-email", Variable: "REGISTRY_ACME_EMAIL", Kind: "address", Value: one(&acme.Email, parseEmail), Default: "none",
			Help: "Address at which the certificate authority may contact you."},

		{Name: "tokens", Variable: "REGISTRY_TOKENS", Kind: "file", Value: file(&s.Tokens), Default: "none",
			Help: "File of tokens; plexus-registry token new adds tokens to it. It is read again when it changes."},
		{Name: "jwt-keys", Variable: "REGISTRY_JWT_KEYS", Kind: "file|url", Value: one(&s.JWT.JWKS, parseText), Default: "none",
			Help: "Public keys (JWKS) of the issuer whose JWTs are accepted. A file is read again when it changes."},
		{Name: "jwt-issuer", Variable: "REGISTRY_JWT_ISSUER", Kind: "iss", Value: one(&s.JWT.Issuer, parseText), Default: "any",
			Help: "Required value of the claim iss of a JWT."},
		{Name: "jwt-audience", Variable: "REGISTRY_JWT_AUDIENCE", Kind: "aud", Value: one(&s.JWT.Audience, parseText), Default: "none; --jwt-keys needs one",
			Help: "Value that the claim aud of a JWT must contain."},
		{Name: "anonymous", Variable: "REGISTRY_ANONYMOUS", Kind: "none|info|read|all", Value: one(&s.Anonymous, parseAnonymous),
			Default: "all; read, if there are tokens, keys or client certificates",
			Help:    "What callers without credentials may do; info is to ask for the registry's name and schemas, as clients do before they authenticate."},
	}
}

// Authenticates reports whether callers can authenticate.
func (s *Registry) Authenticates() bool {
	return s.Tokens != "" || s.JWT.JWKS != "" || s.TLS.ClientCAFile != ""
}

// Encrypts reports whether connections are encrypted.
func (s *Registry) Encrypts() bool { return s.TLS.CertFile != "" || len(s.TLS.ACME.Names) > 0 }

// finishAccess checks what one setting says of another.
func (s *Registry) finishAccess() error {
	tls, acme := &s.TLS, &s.TLS.ACME
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{(tls.CertFile == "") != (tls.KeyFile == ""), "--tls-cert needs --tls-key, and --tls-key needs --tls-cert"},
		{tls.CertFile != "" && len(acme.Names) > 0, "--acme-name can't be given beside --tls-cert"},
		{acme.Directory != "" && len(acme.Names) == 0, "--acme-directory needs --acme-name"},
		{acme.Cache != "" && len(acme.Names) == 0, "--acme-cache needs --acme-name"},
		{acme.Email != "" && len(acme.Names) == 0, "--acme-email needs --acme-name"},
		{tls.ClientCAFile != "" && !s.Encrypts(), "--tls-client-ca needs --tls-cert and --tls-key, or --acme-name"},
		{tls.ClientCAFile != "" && s.Tokens == "", "--tls-client-ca needs --tokens: the file says what each certificate allows"},
		{(s.Anonymous == "none" || s.Anonymous == "info") && !s.Authenticates(), "--anonymous=" + s.Anonymous + " needs --tokens, --jwt-keys or --tls-client-ca: nobody could authenticate"},
		{s.JWT.JWKS != "" && s.JWT.Audience == "", "--jwt-keys needs --jwt-audience: otherwise tokens for other services would be accepted"},
		{s.JWT.JWKS == "" && (s.JWT.Audience != "" || s.JWT.Issuer != ""), "--jwt-audience and --jwt-issuer need --jwt-keys"},
	} {
		if rule.broken {
			return errors.New(rule.text)
		}
	}
	tls.ClientCertOptional = tls.ClientCAFile != ""
	if s.Anonymous == "" {
		s.Anonymous = "all"
		if s.Authenticates() {
			s.Anonymous = "read"
		}
	}
	return nil
}
