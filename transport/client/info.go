// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/wire"
	"github.com/plexus-go/plexus/plugin"
)

// HubInfo is the answer to _info.
type HubInfo struct {
	// Name is the hub's namespace, which its methods begin with.
	Name string
	// Mechanisms are the kinds of authentication that the hub takes
	// ("anonymous"); nil where it does not say.
	Mechanisms []string
	// Hash is the hub's, which changes with its schema; empty where the hub
	// does not say.
	Hash string
}

// infoRequest is the question, as every client asks it.
var infoRequest = wire.AppendRequest(nil, 1, wire.InfoMethod, []byte("null"))

// Info asks the hub at url, ws or wss, for its name, on a connection of its own.
// It is cheap, starts no goroutine that outlives it, and takes no longer than
// ctx allows. Of the options, those that concern a [Client] have no effect.
//
// The error is a [*DialError].
func Info(ctx context.Context, url string, options ...Option) (HubInfo, error) {
	c, err := open(ctx, newSettings(options), url)
	if err != nil {
		return HubInfo{}, err
	}
	defer context.AfterFunc(ctx, func() { c.socket.Close() })()
	c.socket.Finish(closeTimeout)
	c.sendClose(websocket.CloseNormalClosure) // for the hub's log; its answer is not awaited
	c.ws.Close()
	return c.info, nil
}

// maxInfo bounds messages while only _info can be answered.
const maxInfo = 64 << 10

// ask asks _info on a connection that nothing else uses. Frames that do not
// belong to the answer are ignored.
func ask(ws *websocket.Conn, maxBytes int64) (info HubInfo, err error) {
	if err := ws.WriteMessage(websocket.TextMessage, infoRequest); err != nil {
		return info, err
	}
	var subscription []byte // its key, once the request is answered
	for {
		text, err := readMessage(ws, maxBytes)
		if err != nil {
			if _, closed := errors.AsType[*websocket.CloseError](err); closed && info.Name != "" {
				return info, nil // the last item is missing, but the name is there
			}
			return info, lostError(err)
		}
		f, err := wire.ParseFrame(text)
		switch {
		case err != nil:
			return info, protocolError("%v", err)
		case f.Err != nil:
			return info, refusedError(wire.InfoMethod, f.Err)
		case f.Result != nil:
			subscription = bytes.Clone(wire.Key(f.Result))
		case subscription == nil || f.Subscription == nil || !bytes.Equal(wire.Key(f.Subscription), subscription):
		case f.Item.Kind == plugin.KindData:
			if info, err = infoOf(contentOf(&f.Item), f.Item.Metadata.Hash); err != nil {
				return info, err
			}
		case f.Item.Kind == plugin.KindError && !f.Item.Recoverable:
			return info, streamError(wire.InfoMethod, &f.Item)
		case f.Item.Kind == plugin.KindDone && info.Name == "":
			return info, protocolError("the answer to _info has no name of the hub")
		case f.Item.Kind == plugin.KindDone:
			return info, nil
		}
	}
}

// infoOf decodes the content of _info.
func infoOf(content []byte, hash string) (HubInfo, error) {
	var fields struct {
		Backend string `json:"backend"`
		Auth    struct {
			Mechanisms []struct {
				Kind string `json:"kind"`
			} `json:"mechanisms"`
		} `json:"auth_capabilities"`
	}
	// A field of another type is as good as none, but for the name.
	if err := json.Unmarshal(content, &fields); err != nil && fields.Backend == "" {
		return HubInfo{}, protocolError("the answer to _info is %.64q", content)
	}
	info := HubInfo{Name: fields.Backend, Hash: hash}
	for _, m := range fields.Auth.Mechanisms {
		info.Mechanisms = append(info.Mechanisms, m.Kind)
	}
	return info, nil
}
