// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/plexus-go/plexus/internal/filewatch"
	"github.com/plexus-go/plexus/internal/settings"
	"github.com/plexus-go/plexus/transport"
)

// warningsOf returns a function that says what is wrong at the moment with the
// files of the settings.
func warningsOf(s *settings.Registry, a *access) func() []string {
	files := slices.DeleteFunc([]string{
		s.ConfigPath, s.Tokens, s.JWT.JWKS, s.TLS.CertFile, s.TLS.KeyFile, s.TLS.ClientCAFile,
		s.Probe.CAFile, s.Probe.CertFile, s.Probe.KeyFile, s.Probe.TokenFile,
	}, func(path string) bool { return path == "" || strings.Contains(path, "://") })
	probes := transport.TLS{CertFile: s.Probe.CertFile, KeyFile: s.Probe.KeyFile, ClientCAFile: s.Probe.CAFile}
	replaced := filewatch.Replaced(files...)
	return func() []string {
		all := slices.Concat(replaced(), s.TLS.Warnings(), a.problems(), probes.Warnings())
		if path := s.Probe.TokenFile; path != "" {
			if file := filewatch.Read(path, 1<<20); file.Err != nil {
				all = append(all, "the former token of health checks stays in use: "+path+": "+file.Err.Error())
			}
		}
		return all
	}
}

// warningInterval is the time between two looks for new warnings.
const warningInterval = 3 * time.Second

// logWarnings logs each warning when it is new, until ctx is done. It must hold for
// two looks: files that are being saved may not fit each other for a moment.
func logWarnings(ctx context.Context, warnings func() []string, log *slog.Logger) {
	now := warnings()
	before, logged := now, []string(nil)
	for {
		logged = slices.DeleteFunc(logged, func(w string) bool { return !slices.Contains(now, w) })
		for _, w := range now {
			if slices.Contains(before, w) && !slices.Contains(logged, w) {
				log.Warn("registry.status warns", "warning", w)
				logged = append(logged, w)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(warningInterval):
		}
		before, now = now, warnings()
	}
}
