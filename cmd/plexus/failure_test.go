// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/plexus-go/plexus/transport/client"
)

func TestStatus(t *testing.T) {
	refused := &client.DialError{URL: "ws://a:1", Step: client.StepConnect, Err: syscall.ECONNREFUSED}
	for _, test := range []struct {
		err    error
		cause  error // of the context
		status int
		stderr string
	}{
		{nil, nil, 0, ""},
		{errors.New("two\nlines\x1b[2J"), nil, 1, "plexus: two lines\\u001b[2J\n"},
		{errReported, nil, 1, ""},
		{usagef("no %s", "x").withHint("one", "", "two"), nil, 2, "plexus: no x\none\ntwo\n"},
		{fmt.Errorf("m: %w", usagef("y")), nil, 2, "plexus: y\n"},
		{&fs.PathError{Op: "write", Err: syscall.EPIPE}, nil, 0, ""},
		{context.Canceled, &signalError{syscall.SIGINT}, 130, ""},
		{context.Canceled, &signalError{syscall.SIGTERM}, 143, ""},
		{refused, nil, 1, "plexus: nothing listens at ws://a:1\n"},
		{fmt.Errorf("hub: %w", refused), nil, 1, "plexus: hub: nothing listens at ws://a:1\n"},
		{&client.Error{Method: "a.b", Message: "no", Code: "-32000"}, nil, 1, "plexus: a.b: no (-32000)\n"},
		{&client.Error{Method: "a.b", Message: "no", Code: "-32602", Data: []byte("{}")}, nil, 1, "plexus: a.b: no: {} (-32602)\n"},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(test.cause)
		var stderr bytes.Buffer
		if got := status(ctx, test.err, &stderr); got != test.status || stderr.String() != test.stderr {
			t.Errorf("%v: got %d, %q; want %d, %q", test.err, got, stderr.String(), test.status, test.stderr)
		}
	}
}
