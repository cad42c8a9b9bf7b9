// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"errors"
	"fmt"
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plexus-go/plexus/internal/address"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
)

// one is a value of any type; the error of parse is the rule, "must be …".
func one[T any](target *T, parse func(text string) (T, error)) Value {
	return written(target, parse, func(v T) string { return fmt.Sprint(v) })
}

// written is a value that is not written as fmt does it.
func written[T any](target *T, parse func(text string) (T, error), format func(T) string) Value {
	return Value{func(text string) error {
		parsed, err := parse(text)
		if err == nil {
			*target = parsed
		}
		return err
	}, func() string { return format(*target) }}
}

// listOf is several values, separated by commas or in several flags. None is there
// twice.
func listOf[T comparable](target *[]T, parse func(string) (T, error)) Value {
	filled := false // the default was replaced
	return Value{func(text string) error {
		if !filled {
			*target, filled = nil, true
		}
		entries := strings.Split(strings.TrimSuffix(text, ","), ",")
		for _, entry := range entries {
			entry = strings.TrimSpace(entry)
			parsed, err := parse(entry)
			switch {
			case err != nil && len(entries) > 1:
				return fmt.Errorf("%s %w", show(entry), err)
			case err != nil:
				return err
			case !slices.Contains(*target, parsed):
				*target = append(*target, parsed)
			}
		}
		return nil
	}, func() string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(*target), " ", ","), "[]") }}
}

// limit is a value of which 0 means no limit, which is -1 in the structs.
func limit[T int | int64 | float64 | time.Duration](target *T, parse func(text string) (T, error), format func(T) string) Value {
	return written(target, func(text string) (T, error) {
		n, err := parse(text)
		if err == nil && n == 0 {
			n = -1
		}
		return n, err
	}, func(n T) string { return format(max(n, 0)) })
}

// countLimit is a limit that is a whole number.
func countLimit[T int | int64 | float64](target *T) Value {
	return limit(target, func(text string) (T, error) {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			err = fmt.Errorf("must be 0–%d", math.MaxInt32)
		}
		return T(n), err
	}, func(n T) string { return fmt.Sprint(n) })
}

// unit is a unit of sizes.
type unit struct {
	name string
	size uint64
}

var units = []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// sizeLimit is a limit in bytes, with a unit or without.
func sizeLimit[T int | int64](target *T) Value {
	return limit(target, func(text string) (T, error) {
		unit := units[slices.IndexFunc(units, func(u unit) bool { return strings.HasSuffix(text, u.name) })]
		n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(text, unit.name)), 10, 31)
		if err != nil || n*unit.size > math.MaxInt32 {
			return 0, errors.New("must be a size in bytes of less than 2GiB, such as 65536, 64KiB or 10MiB")
		}
		return T(n * unit.size), nil
	}, func(n T) string {
		unit := units[slices.IndexFunc(units, func(u unit) bool { return n > 0 && uint64(n)%u.size == 0 || u.size == 1 })]
		return fmt.Sprint(uint64(n)/unit.size) + unit.name
	})
}

// timeLimit is a limit of a time, which is at least min.
func timeLimit(target *time.Duration, min time.Duration) Value {
	return limit(target, zeroOr(durationFrom(min)), func(d time.Duration) string {
		if d == 0 {
			return "0"
		}
		return d.String()
	})
}

// durationFrom reads a duration, far from where sums of durations overflow.
func durationFrom(min time.Duration) func(text string) (time.Duration, error) {
	return durationBetween(min, "24h")
}

// durationBetween reads a duration with these bounds.
func durationBetween(min time.Duration, max string) func(text string) (time.Duration, error) {
	longest, _ := time.ParseDuration(max) // it is valid
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil || d < min || d > longest {
			return 0, fmt.Errorf("must be a duration from %s to %s, such as 30s or 1m30s", min, max)
		}
		return d, nil
	}
}

// zeroOr reads 0, too.
func zeroOr(parse func(text string) (time.Duration, error)) func(text string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		if d, err := time.ParseDuration(text); err == nil && d == 0 {
			return 0, nil
		}
		d, err := parse(text)
		if err != nil {
			err = fmt.Errorf("%w; or 0", err)
		}
		return d, err
	}
}

func parseLifetime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("must be a duration, such as 720h")
	}
	return d, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return true, nil
	case "false", "no", "0":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

func parsePort(text string) (int, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errors.New("must be 0–65535")
	}
	return int(port), nil
}

// matching reads a text for which ok holds; the rule says what that is.
func matching(ok func(text string) bool, rule string) func(text string) (string, error) {
	return func(text string) (string, error) {
		if !ok(text) {
			return "", errors.New(rule)
		}
		return text, nil
	}
}

// The kinds of texts.
var (
	parseText = matching(func(string) bool { return true }, "")
	parseFile = matching(func(text string) bool { return text != "" && !strings.ContainsRune(text, 0) },
		"must be a path")
	parseNamespace = matching(func(text string) bool { return plugin.ValidateName(text) == nil && text != registry.Namespace },
		"must be a letter, then letters, digits, hyphens and underscores, up to 64, and not "+registry.Namespace)
	// An empty host would be every interface to the net package.
	parseHost = matching(func(text string) bool {
		ip, err := netip.ParseAddr(text)
		return err == nil && ip.IsUnspecified() || isHost(text)
	},
		"must be a host name, or an IPv4 or IPv6 address, without scheme, path and port")
	parseAllowedHost = matching(isAllowedHost,
		"must be a host name or an address, an IPv6 one in brackets, without a port")
	parseTokenHost = matching(func(text string) bool { return isHost(strings.TrimPrefix(text, ".")) },
		"must be a host name, an address, or a name behind a dot, such as .example.com")
	parseOrigin = matching(func(text string) bool { _, err := address.ParseOrigin(text); return err == nil },
		"must be of the form scheme://host or scheme://host:port")
	parsePublicName = matching(isPublicName,
		"must be a public host name, such as registry.example.com")
	parseEmail = matching(func(text string) bool { a, err := mail.ParseAddress(text); return err == nil && a.Address == text },
		"must be an address such as me@example.com")
	parseDirectory = matching(func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && u.Scheme == "https" && u.Host != ""
	},
		"must be an https URL")
	parseAnonymous = matching(regexp.MustCompile("^(none|info|read|all)$").MatchString,
		"must be none, info, read or all")
	// Of the registry, those that its methods know; of other activations, any.
	parseScope = matching(isScope,
		"must be registry:read, registry:write, registry:write:NAME, registry:admin, registry:* or *, or one of another activation, such as notes:write")
)

func isHost(text string) bool {
	_, err := address.Host(text)
	return err == nil
}

// isAllowedHost reports whether text is a host as it is in a URL.
func isAllowedHost(text string) bool {
	name, port, err := address.ParseHost(text)
	return err == nil && port == "" && isHost(name) && !strings.HasSuffix(text, ":")
}

var (
	registryScope = regexp.MustCompile(`^registry:(\*|read|admin|write(:[^\s,]+)?)$`)
	otherScope    = regexp.MustCompile(`^([^\pZ\pC,:*]+:)*([^\pZ\pC,:*]+\*?|\*)$`)
)

func isScope(text string) bool {
	if word, _, _ := strings.Cut(text, ":"); word == registry.Namespace {
		return registryScope.MatchString(text)
	}
	return otherScope.MatchString(text)
}

// isPublicName reports whether a certificate authority may be asked for the name.
func isPublicName(text string) bool {
	_, notIP := netip.ParseAddr(text)
	return isHost(text) && notIP != nil && strings.Contains(strings.Trim(text, "."), ".") && !strings.Contains(text, "_")
}

func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, errors.New("must be an address, or a network such as 10.0.0.0/8")
	}
	if network != network.Masked() {
		return network, fmt.Errorf("must not have bits behind the network: did you mean %s?", network.Masked())
	}
	return network, nil
}

// hubs is a list of URLs, of which off means none.
func hubs(target *[]registry.Address) Value {
	list := listOf(target, func(text string) (a registry.Address, err error) {
		a.Protocol, a.Host, a.Port, err = address.Split(text)
		return a, err
	})
	return Value{func(text string) error {
		if strings.TrimSpace(strings.TrimSuffix(text, ",")) == "off" {
			*target = nil
			return nil
		}
		return list.Set(text)
	}, func() string {
		var urls []string
		for _, a := range *target {
			urls = append(urls, address.URL(a.Protocol, a.Host, a.Port))
		}
		return strings.Join(urls, ",")
	}}
}

// scopes is a list of which each flag has one.
func scopes(target *[]string) Value {
	list := listOf(target, parseScope)
	return Value{func(text string) error {
		if _, err := parseScope(strings.TrimSpace(text)); err != nil {
			return err
		}
		return list.Set(text)
	}, list.String}
}
