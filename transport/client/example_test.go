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

// exampleHub serves a hub with the activation echo, and returns its address.
func exampleHub() (url string, stop func()) {
	h, err := hub.New("example-hub")
	if err != nil {
		log.Fatal(err)
	}
	if err := h.Register(echo.New()); err != nil {
		log.Fatal(err)
	}
	ws := websocket.NewServer(h, websocket.Limits{}, slog.New(slog.DiscardHandler))
	web := httptest.NewServer(ws)
	return "ws" + strings.TrimPrefix(web.URL, "http"), func() {
		web.Close()
		ws.Shutdown(context.Background())
	}
}

// Ask who is there.
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

// Call a method and range over what it answers.
func ExampleClient_Call() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	params := map[string]any{"message": "hello", "count": 2}
	for item, err := range c.Call(ctx, "echo.repeat", params) {
		if err != nil {
			log.Fatal(err)
		}
		if item.Kind == plugin.KindData {
			fmt.Printf("%s %s\n", item.ContentType, item.Content)
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
	var told *client.Error
	if errors.As(err, &told) {
		fmt.Println(told.ErrorCode(), told.Message)
	}
	// Output:
	// hello
	// -32602 Invalid params: missing field: message
}

// Take as much of a stream as is needed. The hub stops the method when the
// range is broken off.
func ExampleClient_Call_breakOff() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for item, err := range c.Call(ctx, "echo.repeat", echo.RepeatParams{Message: "again", Count: 1_000_000}) {
		if err != nil {
			log.Fatal(err)
		}
		var e echo.Echo
		if err := item.Decode(&e); err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Message, e.Number)
		if e.Number == 3 {
			break
		}
	}
	// Output:
	// again 1
	// again 2
	// again 3
}

// Answer the questions that a method asks while it runs.
func ExampleWithAnswers() {
	url, stop := curiousHub()
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
