// SPDX-License-Identifier: AGPL-3.0-only

package registryclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plexus-go/plexus/transport/registryclient"
)

// oldRegistry is a registry as others are: it gives no leases, and can't be
// watched. What it does not know it ignores, or refuses.
type oldRegistry struct {
	strict  bool   // refuses parameters that it does not know
	plain   bool   // has none of deregister and ping
	none    bool   // is a hub without a registry
	unique  bool   // can't register a name that is there
	refusal string // its error for that; empty for the reference registry's

	mu      sync.Mutex
	entries map[string]object
	calls   map[string]int
}

func newOldRegistry(strict, plain bool) *oldRegistry {
	return &oldRegistry{strict: strict, plain: plain, entries: map[string]object{}, calls: map[string]int{}}
}

// serve is the script of a connection.
func (o *oldRegistry) serve(c *peer) {
	c.Info("registry-hub")
	for n := 1; ; n++ {
		subscription := fmt.Sprint(n)
		r := c.Called(subscription)
		if r == nil {
			return
		}
		var call struct{ Params struct{ Params object } }
		_ = json.Unmarshal([]byte(r.Text), &call) // which Called has parsed
		content, err := o.answer(r.Params.Method, call.Params.Params)
		if err != nil {
			c.Item(subscription, `"type":"error",`+meta+`,`+err.Error()+`,"recoverable":false`)
			continue
		}
		text, _ := json.Marshal(content)
		c.Item(subscription, data(string(text)))
		c.Item(subscription, done)
	}
}

func (o *oldRegistry) answer(method string, params object) (object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.none {
		return nil, fmt.Errorf(`"message":"Activation not found: registry","code":"-32601"`)
	}
	o.calls[method]++
	name, _ := params["name"].(string)
	entry := o.entries[name]
	switch {
	case method == "registry.schema":
		return object{"namespace": "registry", "version": "1.0.0", "hash": "x", "methods": []any{}}, nil
	case method == "registry.register":
		if _, ok := params["ttl_seconds"]; ok && o.strict {
			return nil, errors.New(`"message":"Invalid params: unknown field: ttl_seconds","code":"-32602"`)
		}
		if entry != nil && o.unique && o.refusal != "" {
			return nil, errors.New(o.refusal)
		}
		if entry != nil && o.unique {
			return object{"type": "error", "message": "Failed to register backend: error returned from database: (code: 2067) UNIQUE constraint failed: backends.name"}, nil
		}
		entry = object{"name": name, "host": params["host"], "port": params["port"], "protocol": params["protocol"], "is_active": true, "metadata": nil}
		o.entries[name] = entry
		return object{"type": "backend_registered", "backend": entry}, nil
	case method == "registry.update" && entry != nil:
		entry = maps.Clone(entry)
		for key, value := range params {
			if key == "metadata" || key == "ttl_seconds" {
				return nil, errors.New(`"message":"Invalid params: unknown field","code":"-32602"`)
			}
			entry[key] = value
		}
		o.entries[name] = entry
		return object{"type": "backend_updated", "backend": entry}, nil
	case method == "registry.get":
		return object{"type": "backend", "backend": entry}, nil
	case method == "registry.ping" && !o.plain:
		if entry != nil && o.unique {
			entry = maps.Clone(entry)
			entry["is_active"] = true
			o.entries[name] = entry
		}
		return object{"type": "ping", "name": name, "success": entry != nil, "message": ""}, nil
	case method == "registry.deregister" && !o.plain && entry != nil:
		o.deactivate(name)
		return object{"type": "backend_deregistered", "name": name}, nil
	}
	return nil, fmt.Errorf(`"message":"Method not found: %s","code":"-32601"`, method)
}

// deactivate replaces an entry, which an answer may still hold. The
// lock is held.
func (o *oldRegistry) deactivate(name string) {
	entry := maps.Clone(o.entries[name])
	entry["is_active"] = false
	o.entries[name] = entry
}

// has reports whether there is an entry, and whether it is active.
func (o *oldRegistry) has(name string) (there, active bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	entry := o.entries[name]
	return entry != nil, entry != nil && entry["is_active"] == true
}

func (o *oldRegistry) count(method string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls[method]
}

// forget is what a restart without the database does, but for the connections.
func (o *oldRegistry) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries = map[string]object{}
}

func TestAHubIsKeptRegisteredInAnOldRegistry(t *testing.T) {
	tests := map[string]struct{ strict, plain bool }{
		"ignores the ttl":            {false, false},
		"refuses the ttl":            {true, false},
		"has no ping, no deregister": {false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := newOldRegistry(test.strict, test.plain)
				p := pretend(t, old.serve)
				var log lines
				r := p.register(t, alpha(), log.option())
				registered := old.count("registry.register")
				time.Sleep(time.Hour)
				if there, active := old.has("alpha"); !there || !active {
					t.Error("it is not registered")
				}
				if n := old.count("registry.register"); n != registered {
					t.Errorf("it has registered %d times more in an hour", n-registered)
				}
				if n := log.Count("level="); n != 1 {
					t.Errorf("the log is %s", &log)
				}
				old.forget()
				time.Sleep(10 * time.Second)
				if _, active := old.has("alpha"); !active {
					t.Error("it is not registered again")
				}
				old.forget()
				p.pipes.Cut()
				time.Sleep(5 * time.Second)
				if _, active := old.has("alpha"); !active {
					t.Error("it is not registered again after a lost connection")
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if _, active := old.has("alpha"); active != test.plain {
					t.Errorf("it is closed; active: %v", active)
				}
			})
		})
	}
}

// There, the entry of an earlier run can only be updated.
func TestAHubWhoseNameIsInAnOldRegistryUpdatesIt(t *testing.T) {
	for name, active := range map[string]bool{"active": true, "inactive": false, "in other words": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := newOldRegistry(true, false)
				old.unique = true
				if name == "in other words" {
					old.refusal = `"message":"Internal error: backend already exists","code":"-32000"`
				}
				old.answer("registry.register", object{"name": "alpha", "host": "192.0.2.1", "port": 1, "protocol": "wss"})
				if !active {
					old.deactivate("alpha")
				}
				p := pretend(t, old.serve)
				var log lines
				r := p.register(t, alpha(), log.option())
				for range 3 {
					old.mu.Lock()
					e := old.entries["alpha"]
					old.mu.Unlock()
					if e["host"] != "127.0.0.1" || e["port"] != 4444.0 || e["protocol"] != "ws" || e["is_active"] != true {
						t.Errorf("it is registered as %v", e)
					}
					p.pipes.Cut()
					time.Sleep(time.Minute)
				}
				if n := log.Count("refuses"); n != 0 || old.count("registry.update") > 4 {
					t.Errorf("%d updates; the log is %s", old.count("registry.update"), &log)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if _, active := old.has("alpha"); active {
					t.Error("it is closed, but active")
				}
			})
		})
	}
}

func TestANameIsLeftToAnotherHubInAnOldRegistry(t *testing.T) {
	for name, plain := range map[string]bool{"with ping": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := newOldRegistry(false, plain)
				p := pretend(t, old.serve)
				p.register(t, alpha())
				port := func(active bool) any {
					old.mu.Lock()
					defer old.mu.Unlock()
					if old.entries["alpha"]["is_active"] != active {
						t.Errorf("it is registered as %v", old.entries["alpha"])
					}
					return old.entries["alpha"]["port"]
				}
				old.answer("registry.register", object{"name": "alpha", "host": "127.0.0.1", "port": 5555.0, "protocol": "ws"})
				time.Sleep(time.Minute)
				if got := port(true); got != 5555.0 {
					t.Errorf("the name was taken back: port %v", got)
				}
				old.mu.Lock()
				old.deactivate("alpha")
				old.mu.Unlock()
				time.Sleep(10 * time.Second)
				if got := port(true); got != 4444.0 {
					t.Errorf("nobody has the name: port %v", got)
				}
			})
		})
	}
}

func TestAHashThatHasChangedIsAnnouncedOnceInAnOldRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newOldRegistry(false, false)
		p := pretend(t, old.serve)
		var hash atomic.Value
		hash.Store("1111111111111111")
		g := alpha()
		g.SchemaHash = func() string { return hash.Load().(string) }
		p.register(t, g)
		hash.Store("2222222222222222")
		time.Sleep(time.Minute)
		if n := old.count("registry.register"); n != 2 {
			t.Errorf("it has registered %d times", n)
		}
	})
}

// Or else register could arrive after deregister.
func TestCloseWaitsForARegisterInFlight(t *testing.T) {
	for name, slow := range map[string]time.Duration{"answered": 500 * time.Millisecond, "never answered": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := newOldRegistry(false, false)
				p := pretend(t, func(c *peer) {
					c.Info("registry-hub")
					r := c.Called("7")
					if r == nil || r.Params.Method != "registry.register" {
						t.Errorf("the client sent %v", r)
						return
					}
					time.Sleep(slow)
					if slow > time.Second {
						return
					}
					old.answer("registry.register", object{"name": "alpha", "host": "127.0.0.1", "port": 4444, "protocol": "ws"})
					c.Item("7", data(`{"type":"backend_registered","lease_id":"x"}`))
					c.Item("7", done)
					if r = c.Called("8"); r == nil || r.Params.Method != "registry.deregister" {
						t.Errorf("the client sent %v", r)
						return
					}
					old.answer("registry.deregister", object{"name": "alpha"})
					c.Item("8", data(`{"type":"backend_deregistered","name":"alpha"}`))
					c.Item("8", done)
					c.Gone()
				})
				r, err := registryclient.Register(context.Background(), url, alpha(), p.options()...)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				begun := time.Now()
				err = r.Close()
				if (err == nil) != (slow < time.Second) {
					t.Errorf("closed with %v", err)
				}
				if took := time.Since(begun); took > time.Second {
					t.Errorf("closing took %v", took)
				}
				if _, active := old.has("alpha"); active {
					t.Error("it is closed, but active")
				}
			})
		})
	}
}

// The first register never arrives.
func TestTheEntryOfAnEarlierRunIsNotTakenForAnotherHubs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newOldRegistry(false, false)
		old.answer("registry.register", object{"name": "alpha", "host": "127.0.0.1", "port": 1, "protocol": "ws"})
		connections := 0
		p := pretend(t, func(c *peer) {
			if connections++; connections > 1 {
				old.serve(c)
				return
			}
			c.Info("registry-hub")
			c.Next()
		})
		p.register(t, alpha())
		if port := old.entries["alpha"]["port"]; port != 4444.0 {
			t.Errorf("it is registered at port %v", port)
		}
	})
}

func TestAnOldRegistryIsAskedForEveryName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newOldRegistry(false, false)
		p := pretend(t, old.serve)
		var log lines
		r := resolver(t, p, log.option())
		if _, err := r.Resolve(context.Background(), "alpha"); !errors.Is(err, registryclient.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		synctest.Wait() // until it is known that it can't be watched
		for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
			old.answer("registry.register", object{"name": "alpha", "host": host, "port": 1, "protocol": "wss"})
			if b, err := r.Resolve(context.Background(), "alpha"); err != nil || b.Stale || b.URL() != "wss://"+host+":1" {
				t.Errorf("got %+v, %v", b, err)
			}
		}
		if n := old.count("registry.watch"); n != 1 || log.Count("can't be watched") != 1 {
			t.Errorf("%d watches; the log is %s", n, &log)
		}
		p.pipes.SetDown(true)
		p.pipes.Cut()
		time.Sleep(time.Minute)
		resolves(t, r, "127.0.0.2", true)
		if _, err := r.Resolve(context.Background(), "beta"); !dialFailed(err) {
			t.Errorf("got %v", err)
		}
		p.pipes.SetDown(false)
		time.Sleep(5 * time.Second)
		resolves(t, r, "127.0.0.2", false)
	})
}

func TestANameIsStaleWhereTheRegistryIsConnectedButSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		p := pretend(t, func(c *peer) {
			c.Info("h")
			for r := c.Next(); r != nil; r = c.Next() {
				if silent.Load() {
					continue
				}
				c.Send(`{"jsonrpc":"2.0","id":%d,"result":7}`, r.ID)
				if r.Params.Method == "registry.get" {
					c.Item("7", data(`{"type":"backend","backend":{"name":"alpha","host":"h","port":1,"is_active":true}}`))
					c.Item("7", done)
				} else {
					c.Item("7", `"type":"error",`+meta+`,"message":"no","code":"-32601","recoverable":false`)
				}
			}
		})
		r := resolver(t, p)
		time.Sleep(time.Second) // until it is known that it can't be watched
		for _, stale := range []bool{false, true} {
			resolves(t, r, "h", stale)
			silent.Store(true)
		}
		if b, err := r.Resolve(context.Background(), "beta"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v, %v", b, err)
		}
	})
}
