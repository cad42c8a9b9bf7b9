// SPDX-License-Identifier: AGPL-3.0-only

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/gorilla/websocket"

	"github.com/plexus-go/plexus/internal/address"
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
	s := newSettings(options)
	ws, release, err := s.connect(ctx, url, nil)
	if err != nil {
		return HubInfo{}, err
	}
	defer ws.Close()
	defer release()
	info, err := s.ask(ws)
	if err != nil {
		return HubInfo{}, infoFailed(ctx, url, err)
	}
	sendClose(ws, websocket.CloseNormalClosure) // for the hub's log; its answer is not awaited
	return info, nil
}

// infoFailed is the error where _info was not answered.
func infoFailed(ctx context.Context, url string, err error) error {
	return &DialError{URL: address.Redact(url), Step: StepInfo, Err: orContext(ctx, err)}
}

// maxInfo bounds messages while only _info can be answered.
const maxInfo = 64 << 10

// ask asks _info on a connection that nothing else uses.
func (s *settings) ask(ws *websocket.Conn) (HubInfo, error) {
	if err := ws.WriteMessage(websocket.TextMessage, infoRequest); err != nil {
		return HubInfo{}, err
	}
	var answer infoAnswer
	for !answer.complete {
		text, err := readMessage(ws, min(s.MaxMessageBytes, maxInfo))
		if err != nil {
			var closed *websocket.CloseError
			if answer.info.Name != "" && errors.As(err, &closed) {
				break // the last item is missing, but the name is there
			}
			return HubInfo{}, lostError(err)
		}
		frame, err := wire.ParseFrame(text)
		if err != nil {
			return HubInfo{}, protocolError("%v", err)
		}
		if err := answer.read(frame); err != nil {
			return HubInfo{}, err
		}
	}
	if answer.info.Name == "" {
		return HubInfo{}, protocolError("the answer to _info has no name of the hub")
	}
	return answer.info, nil
}

// infoAnswer gathers what _info is answered with.
type infoAnswer struct {
	subscription []byte // its key, once the request is answered
	info         HubInfo
	complete     bool
}

// read reads a frame. What does not belong to the answer is ignored.
func (a *infoAnswer) read(f *wire.Frame) error {
	switch {
	case f.Err != nil:
		return refusedError(wire.InfoMethod, f.Err)
	case f.Result != nil:
		a.subscription = bytes.Clone(wire.Key(f.Result))
		return nil
	case a.subscription == nil || f.Subscription == nil || !bytes.Equal(wire.Key(f.Subscription), a.subscription):
		return nil
	}
	switch f.Item.Kind {
	case plugin.KindData:
		var err error
		a.info, err = infoOf(contentOf(&f.Item), f.Item.Metadata.Hash)
		return err
	case plugin.KindError:
		if !f.Item.Recoverable {
			return streamError(wire.InfoMethod, &f.Item)
		}
	case plugin.KindDone:
		a.complete = true
	}
	return nil
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
