// SPDX-License-Identifier: AGPL-3.0-only

package registry

import (
	"context"
	"maps"
	"time"

	"github.com/plexus-go/plexus/plugin"
)

// statusEvent describes the registry.
type statusEvent struct {
	Version       string          `json:"version" description:"Version of the program"`
	Revision      int64           `json:"revision" description:"Revision of the store"`
	History       string          `json:"history" description:"Identifies where the revision counts"`
	UptimeSeconds int64           `json:"uptime_seconds" description:"Seconds since the registry was started"`
	Backends      int             `json:"backends" description:"How many entries there are"`
	Active        int             `json:"active" description:"How many of them are active"`
	BySource      map[string]int  `json:"by_source" description:"How many entries come from each source"`
	ByHealth      map[string]int  `json:"by_health" description:"How many entries are in each state of health"`
	Sources       []*SourceStatus `json:"sources" description:"The sources that are loaded, the highest rank first"`
	DatabaseBytes int64           `json:"database_bytes,omitzero" description:"Size of the database, where it is known"`

	Held     []string         `json:"held,omitzero" description:"Backends that are silent, and are not counted as failing, since our own network seems to be down"`
	Warnings []string         `json:"warnings,omitzero" description:"What is unsafe about how the registry runs"`
	Counters map[string]int64 `json:"counters" description:"Connections, and how often each limit was met"`
}

// SourceStatus describes a source.
type SourceStatus struct {
	Source BackendSource `json:"source"`
	Loaded bool          `json:"loaded" description:"Whether it was ever loaded"`
	Names  int           `json:"names" description:"How many backends it lists"`
	Place  string        `json:"place,omitzero" description:"Where it is: the path of the file"`
	Error  string        `json:"error,omitzero" description:"Why it could not be loaded the last time"`
}

// placed is a source that can say where it is.
type placed interface{ Place() string }

// sized is a store that can say how large it is.
type sized interface {
	Size(ctx context.Context) (int64, error)
}

// warning is a store that can say why it does not write.
type warning interface{ Warnings() []string }

// status describes the registry.
func (r *Registry) status(ctx context.Context, _ plugin.None) (event, error) {
	entries, at := r.view.all()
	s := &statusEvent{
		Version:       r.version,
		Revision:      at.Revision,
		History:       at.History,
		UptimeSeconds: int64(time.Since(r.started).Seconds()),
		Backends:      len(entries),
		BySource:      map[string]int{},
		ByHealth:      map[string]int{},
		Sources:       r.feeds.status(),
		Counters:      map[string]int64{"refused_registrations": r.quota.refused.Load()},
	}
	for _, warnings := range r.warnings {
		s.Warnings = append(s.Warnings, warnings()...)
	}
	if down := outage(r.down.Load()); down > 0 {
		s.Warnings = append(s.Warnings, down.String()+" seems to be down: backends that are silent are not counted as failing")
	}
	if r.counters != nil {
		maps.Copy(s.Counters, r.counters())
	}
	for _, e := range entries {
		s.BySource[string(e.backend.Source)]++
		s.ByHealth[string(e.info.Health)]++
		if e.backend.Active() {
			s.Active++
		}
		if e.condition != nil && e.condition.held && e.backend.Active() {
			s.Held = append(s.Held, e.backend.Name)
		}
	}
	if store, ok := r.store.(sized); ok {
		var err error
		if s.DatabaseBytes, err = store.Size(ctx); err != nil {
			r.log.Warn("the size of the database is not known", "error", err)
		}
	}
	return event{Status: s}, nil
}

func (fs *feeds) status() []*SourceStatus {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := []*SourceStatus{}
	for _, f := range fs.all {
		s := &SourceStatus{Source: BackendSource(f.source), Loaded: f.loaded, Names: len(f.list)}
		if p, ok := f.from.(placed); ok {
			s.Place = p.Place()
		}
		if f.err != nil {
			s.Error = f.err.Error()
		}
		all = append(all, s)
	}
	return all
}
