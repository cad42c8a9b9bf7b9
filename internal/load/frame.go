// SPDX-License-Identifier: AGPL-3.0-only

package load

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/plexus-go/plexus/internal/wire"
)

// sight is what a client must know of a frame to follow its operations.
type sight struct {
	id           []byte // of an answer; nil for an item
	subscription []byte // as [wire.Key] has it
	item         string // the type of an item
	content      []byte // of data; JSON text, and perhaps what follows it
	failure      string // of an answer or an error item: its kind; empty for none
	recoverable  bool
}

var (
	answerBegin = []byte(`{"jsonrpc":"2.0","id":`)
	result      = []byte(`,"result":`)
	itemBegin   = []byte(`{"jsonrpc":"2.0","method":"`)
	params      = []byte(`","params":{"subscription":`)
	dataBegin   = []byte(`{"type":"data",`)
	doneBegin   = []byte(`{"type":"done",`)
	contentName = []byte(`"content":`)
)

// mostBeginning is how much of a frame is searched for what begins it.
const mostBeginning = 1 << 10

// look reads a frame. Those that have the shape that our hub gives them are
// only glanced at, since the time of reading would count as the hub's; all
// others, and whatever is wrong, are parsed.
func look(frame []byte) (sight, error) {
	if s, ok := glance(frame); ok {
		return s, nil
	}
	f, err := wire.ParseFrame(frame)
	if err != nil {
		return sight{}, err
	}
	content, _ := f.Item.Content.(json.RawMessage)
	s := sight{id: f.ID, subscription: wire.Key(f.Subscription), item: string(f.Item.Kind), content: content, recoverable: f.Item.Recoverable}
	switch {
	case f.Err != nil:
		s.failure = "refused " + strconv.FormatInt(f.Err.Code, 10)
	case f.ID != nil:
		s.subscription = wire.Key(f.Result)
	case f.Item.Kind == "error":
		s.failure = "stream error"
		if code, err := strconv.Atoi(f.Item.Code); err == nil {
			s.failure += " " + strconv.Itoa(code)
		}
	}
	return s, nil
}

// glance reads an answer that is a number, a data item, or a done, in the usual
// order and without spaces.
func glance(frame []byte) (s sight, ok bool) {
	if rest, ok := bytes.CutPrefix(frame, answerBegin); ok {
		if s.id, rest = number(rest); s.id == nil {
			return s, false
		}
		if rest, ok = bytes.CutPrefix(rest, result); !ok {
			return s, false
		}
		s.subscription, rest = number(rest)
		return s, s.subscription != nil && string(rest) == "}"
	}
	if !bytes.HasPrefix(frame, itemBegin) {
		return s, false
	}
	beginning := frame[:min(len(frame), mostBeginning)]
	name := beginning[len(itemBegin):]
	end := bytes.IndexByte(name, '"')
	if end < 0 || bytes.IndexByte(name[:end], '\\') >= 0 {
		return s, false
	}
	rest, ok := bytes.CutPrefix(name[end:], params)
	if !ok {
		return s, false
	}
	if s.subscription, rest = number(rest); s.subscription == nil {
		return s, false
	}
	if rest, ok = bytes.CutPrefix(rest, result); !ok {
		return s, false
	}
	switch {
	case bytes.HasPrefix(rest, doneBegin):
		s.item = "done"
		return s, true
	case bytes.HasPrefix(rest, dataBegin):
		s.item = "data"
		at := bytes.Index(beginning, contentName)
		if at < 0 {
			return s, false
		}
		s.content = frame[at+len(contentName):]
		return s, true
	}
	return s, false
}

// number cuts the digits off that text begins with; nil for none.
func number(text []byte) (digits, rest []byte) {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	if n == 0 {
		return nil, text
	}
	return text[:n], text[n:]
}

// What says in the content of an answer that there is nothing, or no success.
// Longer answers than longestFailure are successes.
var (
	failedType = []byte(`"type":"error"`)
	noBackend  = []byte(`"backend":null`)
	noSuccess  = []byte(`"success":false`)
)

const longestFailure = 2 << 10

// contentFailure returns the kind of error that the content of a data item
// stands for; empty for none.
func contentFailure(content []byte) string {
	switch {
	case len(content) > longestFailure:
		return ""
	case bytes.Contains(content, failedType):
		return "registry error"
	case bytes.Contains(content, noBackend), bytes.Contains(content, noSuccess):
		return "no such backend"
	}
	return ""
}
