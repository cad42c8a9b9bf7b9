// SPDX-License-Identifier: AGPL-3.0-only

package journal

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Journal is a text that can be read while it is written. The zero value is
// empty.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the text. It does not fail.
func (j *Journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(text)
}

// String is the text so far.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Count is how many of its lines have a text.
func (j *Journal) Count(text string) (n int) {
	for line := range strings.Lines(j.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Logger writes to the journal, but not what is for debugging.
func (j *Journal) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
