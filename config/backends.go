// SPDX-License-Identifier: AGPL-3.0-only

package config

import (
	"errors"

	"github.com/plexus-go/plexus/internal/tomlfile"
	"github.com/plexus-go/plexus/storage"
)

// parseBackends reads the text of a backends.toml. The path is for the errors,
// which are of type [*tomlfile.Error].
func parseBackends(path string, data []byte) ([]storage.Backend, error) {
	document, err := tomlfile.Parse(path, data, "backend")
	if err != nil {
		return nil, err
	}
	var backends []storage.Backend
	for _, table := range document.Tables("backend") {
		backend, err := parseBackend(table)
		if err != nil {
			return nil, err
		}
		backends = append(backends, backend)
	}
	return backends, nil
}

func parseBackend(table *tomlfile.Table) (storage.Backend, error) {
	optional := func(key string) *string {
		if text := table.String(key); table.Has(key) {
			return &text
		}
		return nil
	}
	backend := storage.Backend{
		Name: table.String("name"), Host: table.String("host"), Port: table.Int("port"), Protocol: table.String("protocol"),
		Description: optional("description"), Namespace: optional("namespace"),
		Source: storage.SourceFile,
	}
	table.Require("name", "host", "port")
	table.Unique("name")
	if err := table.Err(); err != nil {
		return backend, err
	}
	backend.Normalize()
	if err := backend.Validate(); err != nil {
		key := ""
		if field := (*storage.FieldError)(nil); errors.As(err, &field) {
			key = field.Field
		}
		return backend, table.Fail(key, err)
	}
	return backend, nil
}
