// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// post listens for changes in directories.
type post struct {
	// events tells that something changed, with true where that was perhaps
	// the file. Many changes in a row are one.
	events  chan bool
	watcher *fsnotify.Watcher
	held    map[string]fs.FileInfo
	drained chan struct{}
}

// newPost takes over the watcher. The name is that of the file, without its
// directory.
func newPost(watcher *fsnotify.Watcher, name string) *post {
	p := &post{
		events:  make(chan bool, 1),
		watcher: watcher,
		held:    map[string]fs.FileInfo{},
		drained: make(chan struct{}),
	}
	go p.drain(name)
	return p
}

// close ends everything that newPost began.
func (p *post) close() {
	_ = p.watcher.Close() // has nothing to say
	<-p.drained
}

// drain takes events from the watcher until that is closed. It has a goroutine
// of its own because the watcher may, while it waits for somebody to take one,
// hold what its other methods need.
func (p *post) drain(name string) {
	defer close(p.drained)
	events, errors := p.watcher.Events, p.watcher.Errors
	for events != nil || errors != nil {
		named := true // with an error, events were lost
		select {
		case event, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			named = filepath.Base(event.Name) == name
		case _, ok := <-errors:
			if !ok {
				errors = nil
				continue
			}
		}
		select {
		case earlier := <-p.events:
			named = named || earlier
		default:
		}
		p.events <- named // there is room: nobody else sends
	}
}

// listen makes the watcher listen in these directories, and in no others. A
// directory that is a new one of an old name is listened in anew. What can't be
// listened in is left out.
func (p *post) listen(folders []string) {
	for folder := range p.held {
		if !slices.Contains(folders, folder) {
			p.leave(folder)
		}
	}
	listening := p.watcher.WatchList()
	for _, folder := range folders {
		info, err := os.Stat(folder)
		if err != nil {
			p.leave(folder)
			continue
		}
		if old, ok := p.held[folder]; ok {
			// The watcher forgets a directory that is removed, and another
			// one may get its number.
			if os.SameFile(old, info) && slices.Contains(listening, folder) {
				continue
			}
			p.leave(folder)
		}
		if p.watcher.Add(folder) == nil {
			p.held[folder] = info
		}
	}
}

func (p *post) leave(folder string) {
	_ = p.watcher.Remove(folder) // it may be gone already
	delete(p.held, folder)
}
