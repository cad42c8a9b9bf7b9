// SPDX-License-Identifier: AGPL-3.0-only

package registry_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// referenceEntries are those of a database that the reference registry wrote,
// as clients must see them.
const referenceEntries = `[
{"id":"7fc73d01-aa85-49fe-967b-96640e8b28b5","name":"fromenv","host":"10.0.0.5","port":1029,"protocol":"ws","description":"Load generator backend number 5","namespace":"plexus","source":"env","is_active":true,"registered_at":1795337263,"created_at":1795337263,"updated_at":1795337263},
{"id":"305598fd-64ba-4071-a4de-78515bb26cf5","name":"gone","host":"10.0.0.2","port":1026,"protocol":"ws","description":"Stopped last week","namespace":"plexus","source":"manual","is_active":false,"registered_at":1795337263,"last_seen":1795330000,"created_at":1795337263,"updated_at":1795337263},
{"id":"59517513-f993-40fc-8201-5288da094332","name":"hub2","host":"127.0.0.1","port":4457,"protocol":"ws","version":"1.0.0","metadata":{"pid":4711,"schema_hash":"00e9e57b321aa1bc"},"source":"auto","is_active":true,"registered_at":1795337263,"created_at":1795337263,"updated_at":1795337263},
{"id":"04965a97-0fcb-4a68-a434-4ae856bb8f92","name":"lg-000006","host":"10.0.0.6","port":1030,"protocol":"ws","description":"Load generator backend number 6","namespace":"plexus","source":"manual","is_active":true,"registered_at":1795337263,"created_at":1795337263,"updated_at":1795337263},
{"id":"9ccc3b1e-fcab-434f-b9b5-dccc6cc738e9","name":"lg-000007","host":"10.0.0.7","port":1031,"protocol":"ws","description":"Load generator backend number 7","namespace":"plexus","source":"manual","is_active":true,"registered_at":1795337263,"created_at":1795337263,"updated_at":1795337263},
{"id":"b91a59f6-f1da-4569-8cbe-edfc8cd49493","name":"odd-port","host":"10.0.0.3","port":0,"protocol":"WS","description":"Load generator backend number 3","namespace":"plexus","source":"manual","is_active":true,"registered_at":1795337263,"created_at":1795337263,"updated_at":1795337263},
{"id":"8f7329e0-9938-4f4e-bff0-86b048d8e1d3","name":"odd-protocol","host":"10.0.0.4","port":1028,"protocol":"http","description":"Load generator backend number 4","namespace":"plexus","source":"manual","is_active":true,"registered_at":1795337263,"created_at":1795337263,"updated_at":1795337263},
{"id":"69b61267-a587-4193-9377-23db402d4fbe","name":"prod","host":"plexus.example.com","port":4444,"protocol":"wss","description":"Production — é ☃","namespace":"substrate","source":"file","is_active":true,"registered_at":1795337263,"last_seen":1795337300,"created_at":1795337263,"updated_at":1795337263}
]`

func TestReferenceDatabaseIsServedUnchanged(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../storage/sqlite/testdata/reference-registry.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "registry.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var want []entry
	if err := json.Unmarshal([]byte(referenceEntries), &want); err != nil {
		t.Fatal(err)
	}
	// The file of that registry still lists its entry. The environment, which has another
	// one, is not loaded, and may still own it.
	prod := listed("prod")
	prod.Host, prod.Description, prod.Namespace = "plexus.example.com", new("Production — é ☃"), new("substrate")
	_, file := withFile(prod, listed("fromenv"))
	for _, opening := range []string{"first", "second"} {
		h := over(t, openStore(t, path), file)
		same(t, opening+" opening: how many", len(h.names(`{"active_only": false}`)), len(want))
		same(t, opening+" opening: how many active", len(h.names("")), len(want)-1)
		for _, w := range want {
			w.Health = "unknown"
			if !w.Active {
				w.Reason = "unknown"
			}
			same(t, opening+" opening", h.get(w.Name), w)
		}
		h.close()
		if err := h.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
