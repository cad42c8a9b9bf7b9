// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Doors are the settings of who may come in, and how. The tags are those of
// [Settings].
type Doors struct {
	// Insecure allows to serve other machines without TLS or authentication.
	Insecure bool `env:"REGISTRY_INSECURE" help:"Serve other machines though there is no TLS, or no authentication: whoever reaches the port can then read, or write."`
	// AllowedHosts are names, without ports, by which clients may call.
	AllowedHosts []string `name:"allowed-host" env:"REGISTRY_ALLOWED_HOSTS" type:"hosts" placeholder:"name" otherwise:"loopback names; any, where other machines are served" help:"Name by which clients may call the registry, beside those of this machine. Several are separated by commas, or given by several flags."`
	// AllowedOrigins are web pages that may connect, as scheme://host[:port].
	AllowedOrigins []string `name:"allowed-origin" env:"REGISTRY_ALLOWED_ORIGINS" type:"origins" placeholder:"origin" otherwise:"pages from this machine, where only it is served" help:"Web page that may connect, by its origin: https://app.example. Several are separated by commas, or given by several flags."`
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix `name:"trusted-proxy" env:"REGISTRY_TRUSTED_PROXIES" type:"network" otherwise:"none" help:"Address or network, such as 10.0.0.0/8, of a proxy whose X-Forwarded-For is believed. Several are separated by commas, or given by several flags."`

	// TLSCert and TLSKey are PEM files; both or none.
	TLSCert string `name:"tls-cert" env:"REGISTRY_TLS_CERT" type:"file" otherwise:"no TLS" help:"Certificate to serve wss:// with, and its chain, as PEM. It is read again when it changes."`
	TLSKey  string `name:"tls-key" env:"REGISTRY_TLS_KEY" type:"file" otherwise:"none" help:"Private key of the certificate, as PEM."`
	// TLSClientCA is a PEM file of authorities; empty where clients are not
	// asked for certificates.
	TLSClientCA string `name:"tls-client-ca" env:"REGISTRY_TLS_CLIENT_CA" type:"file" otherwise:"clients are not asked for certificates" help:"Authorities, as PEM, whose client certificates are taken as a proof of who somebody is; the file of tokens says what each allows."`
	// ACMENames are public names to get a certificate for.
	ACMENames []string `name:"acme-name" env:"REGISTRY_ACME_NAMES" type:"public" placeholder:"name" otherwise:"none" help:"Public name to get a certificate for by ACME, instead of --tls-cert: port 443 of the name must lead here. Several are separated by commas, or given by several flags."`
	ACMECache string   `name:"acme-cache" env:"REGISTRY_ACME_CACHE" type:"file" otherwise:"the folder acme beside the database" help:"Folder to keep the certificates in."`
	// ACMEDirectory is the https address of the authority; empty is Let's Encrypt.
	ACMEDirectory string `name:"acme-directory" env:"REGISTRY_ACME_DIRECTORY" type:"directory" placeholder:"url" otherwise:"Let's Encrypt" help:"Certificate authority to ask, by the URL of its ACME directory; using it is to agree to its terms."`
	ACMEEmail     string `name:"acme-email" env:"REGISTRY_ACME_EMAIL" type:"email" placeholder:"address" otherwise:"none" help:"Where the certificate authority may write to."`

	// Tokens is the file of tokens and of client certificates.
	Tokens string `env:"REGISTRY_TOKENS" type:"file" otherwise:"none" help:"File of tokens, which plexus-registry token new makes. It is read again when it changes."`
	// JWTKeys is a file or URL; the issuer and the audience belong to it.
	JWTKeys     string `name:"jwt-keys" env:"REGISTRY_JWT_KEYS" placeholder:"file|url" otherwise:"none" help:"Public keys (JWKS) of who signs JWTs that are let in."`
	JWTIssuer   string `name:"jwt-issuer" env:"REGISTRY_JWT_ISSUER" placeholder:"iss" otherwise:"any" help:"What the claim iss of a JWT must be."`
	JWTAudience string `name:"jwt-audience" env:"REGISTRY_JWT_AUDIENCE" placeholder:"aud" otherwise:"none, which --jwt-keys needs" help:"What the claim aud of a JWT must contain."`
	// Anonymous is what those may do who do not say who they are: none, read or
	// all. Never empty.
	Anonymous string `env:"REGISTRY_ANONYMOUS" type:"anonymous" placeholder:"none|read|all" otherwise:"all; read, where there are tokens, keys or client certificates" help:"What those may do who do not say who they are."`
}

// Limits are the settings of how much may come in. What is 0 has its default,
// what is below 0 no bound.
type Limits struct {
	MaxConnections           int           `env:"REGISTRY_MAX_CONNECTIONS" default:"10000" type:"count" help:"Connections in all."`
	MaxConnectionsPerAddress int           `env:"REGISTRY_MAX_CONNECTIONS_PER_ADDRESS" default:"1000" type:"count" help:"Connections from one address."`
	MaxUpgradeRate           int           `env:"REGISTRY_MAX_UPGRADE_RATE" default:"100" type:"count" help:"Connections that one address may open in a second, after a burst of ten times as many."`
	MaxCallRate              int           `env:"REGISTRY_MAX_CALL_RATE" default:"100000" type:"count" help:"Calls that one connection may make in a second; one that makes more is read from more slowly."`
	MaxCalls                 int           `env:"REGISTRY_MAX_CALLS" default:"256" type:"count" help:"Calls of one connection that run at once."`
	MaxMessage               int           `env:"REGISTRY_MAX_MESSAGE" default:"10MiB" type:"size" help:"Longest message that is read."`
	MaxHeader                int           `env:"REGISTRY_MAX_HEADER" default:"16KiB" type:"size" help:"Longest header of a request."`
	MaxDepth                 int           `env:"REGISTRY_MAX_DEPTH" default:"64" type:"count" help:"How deep the JSON of a message may be nested."`
	MaxName                  int           `env:"REGISTRY_MAX_NAME" default:"255" type:"count" help:"Longest name of a backend in bytes, at most 255."`
	MaxRegistrations         int           `env:"REGISTRY_MAX_REGISTRATIONS" default:"10000" type:"count" help:"Backends that one caller may register."`
	MaxQueue                 int           `env:"REGISTRY_MAX_QUEUE" default:"256KiB" type:"size" help:"What is queued to a client that does not read."`
	MaxQueuedItems           int           `env:"REGISTRY_MAX_QUEUED_ITEMS" default:"1024" type:"count" help:"How many items are queued to a client that does not read."`
	MaxMemory                int           `env:"REGISTRY_MAX_MEMORY" default:"64MiB" type:"size" help:"About what is queued to all clients, and read from them, together."`
	HeaderTimeout            time.Duration `env:"REGISTRY_HEADER_TIMEOUT" default:"5s" type:"timeout" placeholder:"duration" help:"How long the header of a request may take."`
	HandshakeTimeout         time.Duration `env:"REGISTRY_HANDSHAKE_TIMEOUT" default:"10s" type:"timeout" placeholder:"duration" help:"How long a connection may take to become a WebSocket."`
	IdleTimeout              time.Duration `env:"REGISTRY_IDLE_TIMEOUT" default:"0" type:"idle" placeholder:"duration" help:"How long a connection may be open without a call that runs; 0 for ever."`
}

// check sees to what one flag says of another.
func (d *Doors) check() error {
	conflict := func(name, rule string) error { return &UsageError{Name: name, Rule: rule} }
	switch {
	case (d.TLSCert == "") != (d.TLSKey == ""):
		return conflict("--tls-cert", "needs --tls-key, and the other way round")
	case d.TLSCert != "" && len(d.ACMENames) > 0:
		return conflict("--acme-name", "can't be given beside --tls-cert")
	case d.ACMEDirectory != "" && len(d.ACMENames) == 0:
		return conflict("--acme-directory", "needs --acme-name")
	case d.ACMECache != "" && len(d.ACMENames) == 0:
		return conflict("--acme-cache", "needs --acme-name")
	case d.ACMEEmail != "" && len(d.ACMENames) == 0:
		return conflict("--acme-email", "needs --acme-name")
	case d.TLSClientCA != "" && !d.Encrypts():
		return conflict("--tls-client-ca", "needs --tls-cert and --tls-key, or --acme-name")
	case d.TLSClientCA != "" && d.Tokens == "":
		return conflict("--tls-client-ca", "needs --tokens: the file says what each certificate allows")
	case d.Anonymous == "none" && !d.Authenticates():
		return conflict("--anonymous", "is none, and nobody can say who they are: give --tokens, --jwt-keys or --tls-client-ca")
	case d.JWTKeys != "" && d.JWTAudience == "":
		return conflict("--jwt-keys", "needs --jwt-audience: else tokens for other services would be let in")
	case d.JWTKeys == "" && (d.JWTAudience != "" || d.JWTIssuer != ""):
		return conflict("--jwt-audience", "needs --jwt-keys, as does --jwt-issuer")
	}
	if d.Anonymous == "" {
		d.Anonymous = "all"
		if d.Authenticates() {
			d.Anonymous = "read"
		}
	}
	return nil
}

// Authenticates tells whether callers can prove who they are.
func (d *Doors) Authenticates() bool { return d.Tokens != "" || d.JWTKeys != "" || d.TLSClientCA != "" }

// Encrypts tells whether connections are encrypted.
func (d *Doors) Encrypts() bool { return d.TLSCert != "" || len(d.ACMENames) > 0 }

// readAllowedHost takes a host as it stands in a URL, without a port.
func readAllowedHost(text string) (string, error) {
	name := text
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		name = strings.TrimSuffix(inner, "]")
	}
	address, _ := netip.ParseAddr(name)
	if _, err := readHost(name); err != nil || address.Is6() != (name != text) || address.Zone() != "" {
		return "", errors.New("is neither a host name nor an address (an IPv6 one in brackets), without a port")
	}
	return text, nil
}

func readOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if err == nil && u.Scheme != "" && strings.EqualFold(text, u.Scheme+"://"+u.Host) {
		host := u.Host
		if port := u.Port(); port != "" {
			host = strings.TrimSuffix(host, ":"+port)
		}
		if _, err := readAllowedHost(host); err == nil {
			return text, nil
		}
	}
	return "", errors.New("is not of the form scheme://host or scheme://host:port")
}

func readNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, errors.New("is neither an address nor a network, such as 10.0.0.0/8")
	}
	if network != network.Masked() {
		return network, fmt.Errorf("has bits behind the network: did you mean %s?", network.Masked())
	}
	return network, nil
}

// readPublicName takes what an authority may be asked for.
func readPublicName(text string) (string, error) {
	_, err := readHost(text)
	_, address := netip.ParseAddr(text)
	if err != nil || address == nil || !strings.Contains(strings.Trim(text, "."), ".") || strings.Contains(text, "_") {
		return "", errors.New("is not a public host name, such as registry.example.com")
	}
	return text, nil
}

func readEmail(text string) (string, error) {
	if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
		return "", errors.New("is not an address such as me@example.com")
	}
	return text, nil
}

func readDirectory(text string) (string, error) {
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" || u.Host == "" {
		return "", errors.New("is not an https URL")
	}
	return text, nil
}

func readAnonymous(text string) (string, error) {
	switch text {
	case "none", "read", "all":
		return text, nil
	}
	return "", errors.New("is none of none, read, all")
}
