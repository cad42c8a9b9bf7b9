// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/transport/registryclient"
)

// options are what the flags of plexus itself say.
type options struct {
	host     string
	port     int // 0 for none given
	registry string

	token  string
	passOn bool        // credentials are also for hubs that the registry names
	header http.Header // of --header and --cookie
	certificates
	params *string // of --params; nil for none

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

// connectionFlags say where to connect, and as whom. They are needed before
// the words of a path can be understood, so they stand before the path.
func (o *options) connectionFlags() *pflag.FlagSet {
	f := newFlagSet()
	f.StringVarP(&o.host, "host", "H", "", "`HOST` of the registry, or of a hub without a registry. Default: 127.0.0.1")
	f.FuncP("port", "P", "`PORT` of the registry. Default: 4445, or 4444 if there is no hub at 4445", o.setPort)
	f.StringVar(&o.registry, "registry", "", "`URL` of the registry, ws://HOST:PORT or wss://HOST:PORT, instead of --host and --port. Variable: PLEXUS_REGISTRY_URL")
	f.StringVar(&o.token, "token", "", "Credentials: \"Authorization: Bearer `TOKEN`\" is sent to the first hub, the registry. Some hubs read --cookie access_token=TOKEN instead. Variable: PLEXUS_TOKEN")
	f.Func("header", "Header `NAME:VALUE` for the first hub. May be repeated", o.setHeader)
	f.Func("cookie", "Cookie `NAME=VALUE` for the first hub. May be repeated", o.setCookie)
	f.StringVar(&o.ca, "ca", "", "`FILE` with PEM certificates of authorities to trust for wss://, in addition to those of the system")
	f.StringVar(&o.cert, "cert", "", "`FILE` with a PEM client certificate, for a hub that requires one")
	f.StringVar(&o.key, "key", "", "`FILE` with the private key of --cert")
	f.BoolFunc("pass-on", "Send the credentials also to hubs that the registry names. Anybody who can write to the registry can then collect them", put(&o.passOn, true))
	return f
}

// commonFlags may stand before the path or after it.
func (o *options) commonFlags() *pflag.FlagSet {
	f := newFlagSet()
	f.FuncP("params", "p", "All parameters at once, as a `JSON` object. Flags of parameters override it", func(v string) error { o.params = &v; return nil })
	f.BoolFunc("json", "Print the content of every item as one line of JSON. The default if the output is not a terminal", put(&o.mode, modeJSON))
	f.BoolFunc("raw", "Print every item as it was received, with its metadata, as one line of JSON", put(&o.mode, modeRaw))
	f.BoolFunc("pretty", "Print for people. The default on a terminal", put(&o.mode, modePretty))
	f.BoolFunc("schema", "Print the schema of the hub, activation or method, and call nothing", put(&o.schema, true))
	f.BoolFunc("dry-run", "Print the request, and do not send it", put(&o.dryRun, true))
	f.Func("timeout", "End after `TIME`, such as 500ms, 10s or 2m. Without it a call may take any time, and each step before it 5s", o.setTimeout)
	f.BoolFunc("yes", "Answer questions of methods with yes, or with their default", put(&o.yes, true))
	f.StringArrayVar(&o.answers, "answer", nil, "Answer the next question with `VALUE`. May be repeated, in the order of the questions")
	f.BoolFuncP("verbose", "v", "Report more on standard error", put(&o.verbose, true))
	f.BoolVarP(&o.help, "help", "h", false, "Show help")
	return f
}

func newFlagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("plexus", pflag.ContinueOnError)
	f.SortFlags = false
	return f
}

// put is a flag without a value, which puts one into field.
func put[T any](field *T, value T) func(string) error {
	return func(v string) error {
		if v != "true" { // which pflag sets for a flag alone
			return errors.New("takes no value")
		}
		*field = value
		return nil
	}
}

func (o *options) setPort(v string) error {
	port, err := strconv.ParseUint(v, 10, 16)
	if err != nil || port == 0 {
		return errors.New("must be 1–65535")
	}
	o.port = int(port)
	return nil
}

func (o *options) setHeader(v string) error {
	name, value, ok := strings.Cut(v, ":")
	if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
		return usagef("--header must be NAME:VALUE") // the value may be a secret
	}
	if o.header == nil {
		o.header = http.Header{}
	}
	o.header.Add(name, strings.TrimSpace(value))
	return nil
}

func (o *options) setCookie(v string) error {
	name, value, ok := strings.Cut(v, "=")
	cookie := &http.Cookie{Name: name, Value: value}
	if !ok || cookie.Valid() != nil {
		return usagef("--cookie must be NAME=VALUE") // the value may be a secret
	}
	if o.header == nil {
		o.header = http.Header{}
	}
	(&http.Request{Header: o.header}).AddCookie(cookie)
	return nil
}

func (o *options) setTimeout(v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return errors.New("must be a time such as 500ms, 10s or 2m")
	}
	o.timeout = d
	return nil
}

// credentials are the headers that authenticate us. The token goes in one
// place: hubs refuse requests with secrets in two. So that of the environment
// is not sent beside credentials of --header, --cookie or --cert.
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

// hubPort is that of a hub, which may have a registry in it.
const hubPort = "4444"

// addresses are where to look for the registry, in this order.
func (o *options) addresses(getenv func(string) string) ([]string, error) {
	if o.registry != "" && (o.host != "" || o.port != 0) {
		return nil, usagef("--registry cannot be combined with --host or --port")
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
		return nil, usagef("invalid value for --host: %q (must be a host name or an IP address; --registry takes a URL)", o.host)
	}
	if o.port != 0 {
		return []string{address.URL("ws", host, o.port)}, nil
	}
	return registryclient.DefaultURLs(host), nil
}
