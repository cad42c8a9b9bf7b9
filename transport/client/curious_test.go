// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"

	gorilla "github.com/gorilla/websocket"
)

// curiousHub serves one client, whose call it asks whether it means it. It
// stands in for a hub of ours until activations can ask.
func curiousHub() (url string, stop func()) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		p := &peer{Conn: ws}
		p.info("curious-hub")
		p.called("7")
		p.item("7", `"type":"request","requestId":"r1","requestData":{"type":"confirm","message":"Really delete /tmp/x?"},"timeoutMs":30000`)
		if r := p.next(); r != nil && r.Params.ResponseData["value"] == true {
			p.item("7", data(`"deleted"`))
			p.item("7", done)
		}
		p.gone()
	}))
	return "ws" + strings.TrimPrefix(web.URL, "http"), web.Close
}
