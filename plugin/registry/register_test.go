// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// later lets the clock of a synctest bubble move on.
func later() int64 {
	time.Sleep(time.Minute)
	return time.Now().Unix()
}

const fullRegistration = `{"name": "alpha", "host": "alpha.example", "port": 4444, "protocol": "wss", "description": "d",
	"namespace": "n", "version": "1.2.3", "metadata": {"pid": 1}, "source": "auto"}`

func TestRegisterNew(t *testing.T) {
	t.Parallel()
	bare := entry{Name: "alpha", Host: "127.0.0.1", Port: 1, Protocol: "ws", Source: "manual"}
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for _, test := range []struct {
			name, params string
			want         entry
		}{
			{"what must be given, alone", `{"name": "alpha", "host": "127.0.0.1", "port": 1}`, bare},
			{"explicit nulls are absent", `{"name": "alpha", "host": "127.0.0.1", "port": 1, "protocol": null, "description": null,
				"namespace": null, "version": null, "metadata": null, "source": null}`, bare},
			{"parameters that nobody knows are ignored",
				`{"name": "alpha", "host": "127.0.0.1", "port": 1, "colour": "red", "id": "mine", "is_active": false}`, bare},
			{"empty texts are values", `{"name": "alpha", "host": "127.0.0.1", "port": 1, "description": "", "namespace": "",
				"version": "", "metadata": {}}`, entry{
				Name: "alpha", Host: "127.0.0.1", Port: 1, Protocol: "ws", Source: "manual",
				Description: new(""), Namespace: new(""), Version: new(""), Metadata: json.RawMessage(`{}`),
			}},
			{"everything", fullRegistration, entry{
				Name: "alpha", Host: "alpha.example", Port: 4444, Protocol: "wss", Source: "auto",
				Description: new("d"), Namespace: new("n"), Version: new("1.2.3"), Metadata: json.RawMessage(`{"pid":1}`),
			}},
		} {
			now := later()
			got := h.register(test.params)
			if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(got.ID) {
				t.Errorf("the id %q is no UUID", got.ID)
			}
			want := test.want
			want.ID, want.Active, want.Health = got.ID, true, "unknown"
			want.RegisteredAt, want.CreatedAt, want.UpdatedAt = now, now, now
			same(t, test.name+": registered", got, want)
			same(t, test.name+": got", h.get("alpha"), want)
			same(t, test.name+": listed", h.names(""), []string{"alpha"})
			h.do("delete", `{"name": "alpha"}`)
		}
	})
}

func TestRegisterReplaces(t *testing.T) {
	t.Parallel()
	but := func(old, other string) string { return strings.Replace(fullRegistration, old, other, 1) }
	elsewhere := func(want *entry) {
		want.Host, want.Port, want.Protocol, want.Source = "beta.example", 5555, "ws", "manual"
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for _, test := range []struct {
			name, params string
			change       func(want *entry)
		}{
			{"the address, and keeps optional fields that are not given", `{"name": "alpha", "host": "beta.example", "port": 5555}`, elsewhere},
			{"nothing that is null", `{"name": "alpha", "host": "beta.example", "port": 5555, "protocol": null, "description": null,
				"namespace": null, "version": null, "metadata": null, "source": null}`, elsewhere},
			{"each optional field that is given",
				`{"name": "alpha", "host": "alpha.example", "port": 4444, "protocol": "wss", "description": "", "namespace": "m",
				"version": "2", "metadata": {}, "source": "auto"}`,
				func(want *entry) {
					want.Description, want.Namespace, want.Version = new(""), new("m"), new("2")
					want.Metadata = json.RawMessage(`{}`)
				}},
			{"the source alone", but("auto", "manual"), func(want *entry) { want.Source = "manual" }},
			{"the metadata alone", but(`"pid": 1`, `"pid": 2`), func(want *entry) { want.Metadata = json.RawMessage(`{"pid":2}`) }},
			{"the version alone", but("1.2.3", "1.2.4"), func(want *entry) { want.Version = new("1.2.4") }},
			{"the namespace alone", but(`"n"`, `"m"`), func(want *entry) { want.Namespace = new("m") }},
			{"the description alone", but(`"d"`, `""`), func(want *entry) { want.Description = new("") }},
			{"the port alone", but("4444", "4445"), func(want *entry) { want.Port = 4445 }},
		} {
			want := h.register(fullRegistration)
			now := later()
			got := h.register(test.params)
			test.change(&want)
			want.RegisteredAt, want.UpdatedAt, want.LastSeen = now, now, &now
			same(t, test.name+": registered", got, want)
			same(t, test.name+": got", h.get("alpha"), want)
			same(t, test.name+": listed", h.names(`{"active_only": false}`), []string{"alpha"})
			h.do("delete", `{"name": "alpha"}`)
		}
	})
}

func TestRegisterAgainChangesLastSeenOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for _, params := range []string{
			fullRegistration,
			`{"name": "alpha", "host": "h", "port": 1}`,
			`{"name": "alpha", "host": "h", "port": 1, "protocol": "WS", "source": "manual", "metadata": {"a": [1, 2]}}`,
		} {
			want := h.register(params)
			for range 3 {
				want.LastSeen = new(later())
				same(t, "registered "+params, h.register(params), want)
				same(t, "got", h.get("alpha"), want)
			}
			h.do("delete", `{"name": "alpha"}`)
		}
	})
}

func TestRegisterActivatesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		want := h.register(fullRegistration)
		h.do("deregister", `{"name": "alpha"}`)
		if h.get("alpha").Active {
			t.Fatal("still active")
		}
		now := later()
		got := h.register(fullRegistration)
		want.RegisteredAt, want.UpdatedAt, want.LastSeen = now, now, &now
		same(t, "registered", got, want)
		same(t, "listed", h.names(""), []string{"alpha"})
	})
}

// After a deletion a name begins anew.
func TestRegisterAfterDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		first := h.register(fullRegistration)
		h.do("delete", `{"name": "alpha"}`)
		now := later()
		second := h.register(`{"name": "alpha", "host": "h", "port": 1}`)
		if second.ID == first.ID {
			t.Error("the id is that of the deleted entry")
		}
		want := entry{
			ID: second.ID, Name: "alpha", Host: "h", Port: 1, Protocol: "ws", Source: "manual", Active: true,
			RegisteredAt: now, CreatedAt: now, UpdatedAt: now, Health: "unknown",
		}
		same(t, "registered", second, want)
	})
}

// Metadata comes back as it was given, but for the space between its parts.
func TestMetadataIsReturnedUnchanged(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, test := range []struct{ given, want string }{
		{`{}`, `{}`},
		{`{"n":1e300}`, `{"n":1e300}`},
		{`{"n":12345678901234567890,"m":-0,"o":1.10,"p":0.1e-7}`, `{"n":12345678901234567890,"m":-0,"o":1.10,"p":0.1e-7}`},
		{`{"z":1,"a":2,"m":{"z":1,"a":2}}`, `{"z":1,"a":2,"m":{"z":1,"a":2}}`},
		{`{"é":"☃ 🎉","":"","/":"</script>&"}`, `{"é":"☃ 🎉","":"","/":"</script>&"}`},
		{`{"a":[[[{"b":[null,true,false,{}]}]]]}`, `{"a":[[[{"b":[null,true,false,{}]}]]]}`},
		{"{\n\t\"a\" : [ 1 ,\r\n 2 ]\n}", `{"a":[1,2]}`},
		{`{"control":"\u0000\n\"\\"}`, `{"control":"\u0000\n\"\\"}`},
	} {
		got := h.register(`{"name": "alpha", "host": "h", "port": 1, "metadata": ` + test.given + `}`)
		if string(got.Metadata) != test.want {
			t.Errorf("registered %s, answered %s", test.given, got.Metadata)
		}
		if got = h.get("alpha"); string(got.Metadata) != test.want {
			t.Errorf("registered %s, got %s", test.given, got.Metadata)
		}
	}
}
