// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"log"
	"log/slog"
	"net/http/httptest"
	"strings"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/transport/websocket"
)

// curiousHub serves a hub with the activation files, whose delete asks its
// caller whether they mean it.
func curiousHub() (url string, stop func()) {
	type file struct {
		Path string `json:"path"`
	}
	files := plugin.Definition{Namespace: "files", Version: "1.0.0", Description: "Files", Methods: []plugin.Method{
		plugin.Unary("delete", "Delete a file", func(ctx context.Context, in file) (string, error) {
			sure, err := plugin.Ask(ctx, plugin.Confirm{Message: "Really delete " + in.Path + "?"})
			if err != nil || !sure {
				return "kept", err
			}
			return "deleted", nil
		}, plugin.Bidirectional()),
	}}
	h, err := hub.New("curious-hub")
	if err == nil {
		err = h.Register(files)
	}
	if err != nil {
		log.Fatal(err)
	}
	ws := websocket.NewServer(h, websocket.Limits{}, slog.New(slog.DiscardHandler))
	web := httptest.NewServer(ws)
	return "ws" + strings.TrimPrefix(web.URL, "http"), func() {
		web.Close()
		ws.Shutdown(context.Background())
	}
}
