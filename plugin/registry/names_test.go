// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/registry"
)

// One name, whichever program has written it: composed, or as letters with marks.
const composed, decomposed = "café", "cafe\u0301"

func TestANameIsOneHoweverItIsComposed(t *testing.T) {
	t.Parallel()
	h := open(t)
	if b := h.register(object("name", decomposed, "host", "h", "port", 1, "namespace", decomposed)); b.Name != composed || *b.Namespace != composed {
		t.Errorf("it is registered as %v", b)
	}
	h.register(object("name", composed, "host", "h", "port", 2))
	h.registerNames("beta")
	for _, name := range []string{composed, decomposed} {
		if b := h.get(name); b.Name != composed || b.Port != 2 {
			t.Errorf("%q is %v", name, b)
		}
		for _, method := range []string{"update", "ping", "deregister", "ping"} {
			if e := h.do(method, object("name", name)); e.Type == "error" || e.Name != composed && e.Backend == nil {
				t.Errorf("%s of %q: %+v", method, name, e)
			}
		}
		same(t, "the namespace", strings.Join(h.names(object("namespace", name)), " "), composed)
	}
	h.do("update", object("name", "beta", "namespace", decomposed))
	same(t, "the namespace", len(h.names(object("namespace", composed))), 2)
	scoped := plugin.WithCaller(t.Context(), plugin.Caller{Name: "ada", Scopes: []string{"registry:write:" + decomposed, "registry:write:cafe\u0301s-*"}})
	for _, name := range []string{composed, decomposed, "cafés-1"} {
		if a := h.call(scoped, "register", object("name", name, "host", "h", "port", 3)); a.refused != nil {
			t.Errorf("%q: %v", name, a.refused)
		}
	}
	h.do("delete", object("name", decomposed))
	if h.lookup(composed) != nil {
		t.Error("it is still there")
	}
}

// Those of a program's own source, too.
func TestWhatASourceListsIsStoredInItsOneForm(t *testing.T) {
	t.Parallel()
	b := listed(decomposed)
	b.Host, b.Protocol = "bücher.example", "WSS"
	_, file := withFile(b)
	h := open(t, file, registry.WithSelf("everywhere", netip.MustParseAddrPort("0.0.0.0:4444")), registry.WithSelf("nowhere", netip.AddrPort{}))
	if b := h.get(decomposed); b.Name != composed || b.Host != "xn--bcher-kva.example" || b.Protocol != "wss" {
		t.Errorf("it is %v", b)
	}
	same(t, "all", strings.Join(h.names(""), " "), composed)
}

func TestAHubAnswersUnderItsNameHoweverItIsComposed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t, memory(t))
		p.harness.register(object("name", composed, "host", "h", "port", 4444))
		p.answers("h", decomposed)
		p.rounds(2)
		p.expect(composed, "passing", true)
	})
}
