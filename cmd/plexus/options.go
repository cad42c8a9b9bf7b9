// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// options are the flags that every command knows.
type options struct {
	host     string
	port     int // 0 for none given
	registry string

	token  string
	passOn bool        // credentials are for hubs that the registry names, too
	header http.Header // of --header and --cookie
	certificates
	params *string // what -p was given

	mode    mode
	schema  bool
	dryRun  bool
	timeout time.Duration // 0 for none
	yes     bool
	answers []string
	verbose bool
	help    bool
	version bool
}

// flag is one of them.
type flag struct {
	name  string
	short string // one letter, or empty
	value string // what help calls its value; empty for a flag without one
	help  string
	// early flags say where to connect, so they are needed before it is
	// known what the words of a path mean: they stand before it.
	early bool
	set   func(o *options, value string) error
}

// flags are all of them, in the order of the help.
func flags() []flag {
	on := func(field func(*options) *bool) func(*options, string) error {
		return func(o *options, _ string) error { *field(o) = true; return nil }
	}
	prints := func(m mode) func(*options, string) error {
		return func(o *options, _ string) error { o.mode = m; return nil }
	}
	return []flag{
		{"host", "H", "HOST", "Host of the registry, or of a hub that has none. Default: 127.0.0.1", true,
			func(o *options, v string) error { o.host = v; return nil }},
		{"port", "P", "PORT", "Its port. Default: 4445, and where nothing listens there, 4444", true, setPort},
		{"registry", "", "URL", "Both in one, ws://HOST:PORT or wss://HOST:PORT. Variable: PLEXUS_REGISTRY_URL", true,
			func(o *options, v string) error { o.registry = v; return nil }},
		{"token", "", "TOKEN", "Credentials, sent as \"Authorization: Bearer TOKEN\" to the hub that is asked first: the registry. Some hubs want them as --cookie access_token=TOKEN instead. Variable: PLEXUS_TOKEN", true,
			func(o *options, v string) error { o.token = v; return nil }},
		{"header", "", "NAME:VALUE", "A header for it. May be repeated", true, setHeader},
		{"cookie", "", "NAME=VALUE", "A cookie for it. May be repeated", true, setCookie},
		{"ca", "", "FILE", "Authorities, as PEM, that are trusted beside those of the system to say who a hub at wss:// is", true,
			func(o *options, v string) error { o.ca = v; return nil }},
		{"cert", "", "FILE", "Certificate, as PEM, that says who we are, to a hub that asks for one", true,
			func(o *options, v string) error { o.cert = v; return nil }},
		{"key", "", "FILE", "Its private key", true,
			func(o *options, v string) error { o.key = v; return nil }},
		{"pass-on", "", "", "Send credentials to the hub that the registry names as well. Whoever can write to the registry can gather them so", true,
			on(func(o *options) *bool { return &o.passOn })},

		{"params", "p", "JSON", "All parameters at once, a JSON object; flags are set on top of it", false,
			func(o *options, v string) error { o.params = &v; return nil }},
		{"json", "", "", "Print the content of every item as one line of JSON, as is done where the output is no terminal", false, prints(modeJSON)},
		{"raw", "", "", "Print every item as it came, with its metadata, as one line of JSON", false, prints(modeRaw)},
		{"pretty", "", "", "Print for readers, as is done on a terminal", false, prints(modePretty)},
		{"schema", "", "", "Print the schema of what the path leads to, and call nothing", false, on(func(o *options) *bool { return &o.schema })},
		{"dry-run", "", "", "Print the request that would be sent, and send nothing", false, on(func(o *options) *bool { return &o.dryRun })},
		{"timeout", "", "TIME", "End after this time, such as 500ms, 10s or 2m. Without it a call lasts as long as the hub wants, and all that comes before it 5s each at most", false, setTimeout},
		{"yes", "", "", "Answer the questions of methods with yes, or with their default", false, on(func(o *options) *bool { return &o.yes })},
		{"answer", "", "VALUE", "Answer the next question with VALUE. May be repeated, in the order of the questions", false,
			func(o *options, v string) error { o.answers = append(o.answers, v); return nil }},
		{"verbose", "v", "", "Tell on standard error what else happens", false, on(func(o *options) *bool { return &o.verbose })},
		{"help", "h", "", "Show what is at the end of the path", false, on(func(o *options) *bool { return &o.help })},
		{"version", "", "", "Print the version", true, on(func(o *options) *bool { return &o.version })},
	}
}

func setPort(o *options, v string) error {
	port, err := strconv.ParseUint(v, 10, 16)
	if err != nil || port == 0 {
		return usagef("--port %q is not 1 to 65535", v)
	}
	o.port = int(port)
	return nil
}

func setHeader(o *options, v string) error {
	name, value, ok := strings.Cut(v, ":")
	if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
		return usagef("--header has to be NAME:VALUE")
	}
	if o.header == nil {
		o.header = http.Header{}
	}
	o.header.Add(name, strings.TrimSpace(value))
	return nil
}

func setCookie(o *options, v string) error {
	name, value, ok := strings.Cut(v, "=")
	cookie := &http.Cookie{Name: name, Value: value}
	if !ok || cookie.Valid() != nil {
		return usagef("--cookie has to be NAME=VALUE")
	}
	if o.header == nil {
		o.header = http.Header{}
	}
	(&http.Request{Header: o.header}).AddCookie(cookie)
	return nil
}

// credentials are the headers that say who we are. The token goes in one place:
// hubs refuse requests with secrets in two. So that of the environment does not
// go beside credentials of --header, --cookie or --cert.
func (o *options) credentials(getenv func(string) string) http.Header {
	header := o.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	token := o.token
	if token == "" && o.cert == "" && header.Get("Authorization") == "" && header.Get("X-Plexus-API-Key") == "" &&
		!strings.Contains(header.Get("Cookie"), "access_token=") {
		token = getenv("PLEXUS_TOKEN")
	}
	if token != "" {
		header.Add("Authorization", "Bearer "+token)
	}
	return header
}

func setTimeout(o *options, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return usagef("--timeout %q is no time such as 500ms, 10s or 2m", v)
	}
	o.timeout = d
	return nil
}

// The ports that are tried where none is given: that of the registry, and
// that of a hub that may have one in it.
const (
	registryPort = 4445
	hubPort      = 4444
)

// addresses are where to look for the registry, in this order.
func (o *options) addresses(getenv func(string) string) ([]string, error) {
	if o.registry != "" && (o.host != "" || o.port != 0) {
		return nil, usagef("--registry says the same as --host and --port: give one of them")
	}
	given := o.registry
	if given == "" && o.host == "" && o.port == 0 {
		given = getenv("PLEXUS_REGISTRY_URL")
	}
	if given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" {
			return nil, usagef("the registry's address %q is not ws://HOST:PORT or wss://HOST:PORT", given)
		}
		return []string{given}, nil
	}
	host := cmp.Or(strings.Trim(o.host, "[]"), "127.0.0.1")
	if strings.ContainsAny(host, "/ ?#@") {
		return nil, usagef("--host %q is no host; an address is given with --registry", o.host)
	}
	at := func(port int) string { return hubURL("ws", host, port) }
	if o.port != 0 {
		return []string{at(o.port)}, nil
	}
	return []string{at(registryPort), at(hubPort)}, nil
}

func hubURL(protocol, host string, port int) string {
	return fmt.Sprintf("%s://%s", protocol, net.JoinHostPort(host, strconv.Itoa(port)))
}
