// SPDX-License-Identifier: AGPL-3.0-only

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"strings"

	"github.com/plexus-go/plexus/hub"
	"github.com/plexus-go/plexus/plugin"
	"github.com/plexus-go/plexus/plugin/echo"
	"github.com/plexus-go/plexus/transport/client"
	"github.com/plexus-go/plexus/transport/websocket"
)

// exampleHub serves a hub with the activations echo and files, whose delete asks
// its caller for confirmation, and returns its address.
func exampleHub() (url string, stop func()) {
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
	h, err := hub.New("example-hub")
	if err == nil {
		err = errors.Join(h.Register(echo.New()), h.Register(files))
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

// Ask a hub for its name.
func ExampleInfo() {
	url, stop := exampleHub()
	defer stop()

	info, err := client.Info(context.Background(), url)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Name, info.Mechanisms)
	// Output: example-hub [anonymous]
}

// Call a method and range over its items. A break ends the stream at the hub.
func ExampleClient_Call() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	params := map[string]any{"message": "hello", "count": 1_000_000}
	for item, err := range c.Call(ctx, "echo.repeat", params) {
		if err != nil {
			log.Fatal(err)
		}
		if item.Kind != plugin.KindData {
			continue
		}
		fmt.Printf("%s %s\n", item.ContentType, item.Content)
		var e echo.Echo
		if err := item.Decode(&e); err != nil {
			log.Fatal(err)
		}
		if e.Number == 2 {
			break
		}
	}
	// Output:
	// echo.repeat {"message":"hello","number":1}
	// echo.repeat {"message":"hello","number":2}
}

// Call a method that answers once.
func ExampleCallOne() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	answer, err := client.CallOne[echo.Echo](ctx, c, "echo.once", echo.OnceParams{Message: "hello"}, client.Idempotent())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Message)

	_, err = client.CallOne[echo.Echo](ctx, c, "echo.once", struct{}{})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.ErrorCode(), refused.Message)
	}
	// Output:
	// hello
	// -32602 Invalid params: missing field: message
}

// Answer the questions that a method asks while it runs.
func ExampleWithAnswers() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, url, client.WithAnswers(func(ctx context.Context, q client.Question) (any, error) {
		fmt.Println(q.Message)
		if q.Kind != client.Confirm {
			return nil, nil
		}
		return true, nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	answer, err := client.CallOne[string](ctx, c, "files.delete", map[string]any{"path": "/tmp/x"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
	// Output:
	// Really delete /tmp/x?
	// deleted
}
