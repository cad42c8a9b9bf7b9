// SPDX-License-Identifier: AGPL-3.0-only

package plugin_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/plexus-go/plexus/plugin"
)

func TestErrorf(t *testing.T) {
	err := plugin.Errorf(plugin.CodeForbidden, "%s may not: %w", "guest", fs.ErrPermission)
	if err.Code != plugin.CodeForbidden || err.Message != "guest may not: permission denied" || err.Recoverable {
		t.Errorf("%+v", err)
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Error("the cause is lost")
	}
	both := plugin.Errorf(7, "%w, and %w (%d)", fs.ErrPermission, fs.ErrClosed, 3)
	if !errors.Is(both, fs.ErrPermission) || !errors.Is(both, fs.ErrClosed) || both.Message != "permission denied, and file already closed (3)" {
		t.Errorf("two causes: %+v", both)
	}
	if err := plugin.Errorf(plugin.CodeFailure, "no: %v", fs.ErrPermission); errors.Is(err, fs.ErrPermission) {
		t.Error("a cause was kept that was not wrapped")
	}
}

func TestErrorIsFoundAndNeverEmpty(t *testing.T) {
	var found *plugin.Error
	if wrapped := fmt.Errorf("while calling: %w", &plugin.Error{Code: 7, Err: fs.ErrExist}); !errors.As(wrapped, &found) || found.Code != 7 || !errors.Is(wrapped, fs.ErrExist) {
		t.Errorf("found %+v", found)
	}
	if got := (&plugin.Error{}).Error(); got != "the method failed" {
		t.Errorf("an Error without a message says %q", got)
	}
	if got := (&plugin.Error{Message: "m", Err: fs.ErrExist}).Error(); got != "m" {
		t.Errorf("an Error says %q: its cause is for the log", got)
	}
}
