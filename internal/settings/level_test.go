// SPDX-License-Identifier: AGPL-3.0-only

package settings

import (
	"context"
	"io"
	"log/slog"
	"testing"
)

func TestParseLevel(t *testing.T) {
	for _, test := range []struct {
		directives string
		want       slog.Level
	}{
		{"off", levelOff},
		{"error", slog.LevelError},
		{"warn", slog.LevelWarn},
		{"info", slog.LevelInfo},
		{"debug", slog.LevelDebug},
		{"trace", slog.LevelDebug - 4},
		{"INFO", slog.LevelInfo},
		{"Warn", slog.LevelWarn},
		{" debug ", slog.LevelDebug},
		// The level without a target wins, wherever it is.
		{"plexus=debug,info", slog.LevelInfo},
		{"warn,registry=trace", slog.LevelWarn},
		{"off,registry=trace", levelOff},
		{"a=off,info,b=debug", slog.LevelInfo},
		{"info,debug", slog.LevelDebug},
		{"debug, info", slog.LevelInfo},
		// Without one, the most verbose target does.
		{"plexus=debug", slog.LevelDebug},
		{"plexus=ERROR", slog.LevelError},
		{"a=warn,b=trace,c=debug", levelTrace},
		{"a=off", levelOff},
		{"a=off,b=error", slog.LevelError},
		{"hub::wire=debug", slog.LevelDebug},
		{"plexus[call{id=7}]=debug", slog.LevelDebug},
		{"[call{id=7,name=x}]=debug", slog.LevelDebug},
		// What has no level is passed over.
		{"plexus,info", slog.LevelInfo},
		{"info,plexus=loud", slog.LevelInfo},
		{"info,", slog.LevelInfo},
		{",,a=warn", slog.LevelWarn},
		{"info/some text", slog.LevelInfo},
	} {
		t.Run(test.directives, func(t *testing.T) {
			got, err := parseLevel(test.directives)
			if err != nil || got != test.want {
				t.Errorf("got %v and %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestParseLevelRefusesWhatHoldsNone(t *testing.T) {
	for _, directives := range []string{"", " ", ",", "=", "loud", "plexus", "plexus=", "plexus=loud", "warning", "info warn", "4", "info;debug", "plexus=debug/a=b"} {
		if got, err := parseLevel(directives); err == nil {
			t.Errorf("%q: got %v, want an error", directives, got)
		}
	}
}

func TestLevelOffIsAboveAllThatIsLogged(t *testing.T) {
	handler := slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: levelOff})
	for _, level := range []slog.Level{levelTrace, slog.LevelError, slog.LevelError + 1000} {
		if handler.Enabled(context.Background(), level) {
			t.Errorf("%v is logged", level)
		}
	}
}

func FuzzParseLevel(f *testing.F) {
	for _, seed := range []string{"", "info", "plexus=debug,info", "warn,registry=trace", "a[b{c=d}]=off/x", "=,=", "İnfo"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, directives string) {
		level, err := parseLevel(directives)
		switch level {
		case levelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, levelOff:
		default:
			t.Errorf("%q: level %d, which has no name", directives, level)
		}
		if err != nil && level != 0 {
			t.Errorf("%q: %v and an error", directives, level)
		}
		// A last bare level beats whatever is before it.
		if level, err := parseLevel(directives + ",error"); err != nil || level != slog.LevelError {
			t.Errorf("%q and error: got %v and %v", directives, level, err)
		}
	})
}
