# SPDX-License-Identifier: AGPL-3.0-only

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME   ?= 30s

.PHONY: help run build test race reload lint fuzz bench ci

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Run the registry on port 4445
	@exec bin/plexus-registry

build: ## Build the commands into bin/, without any library of the system
	CGO_ENABLED=0 go build -o bin/ ./cmd/...

test: ## Run the tests
	go test ./...

race: ## Run the tests with the race detector
	go test -race ./...

reload: ## Save backends.toml in every way, 50 times in a row each
	RELOADS=50 go test -count=1 -run 'TestReload$$' -timeout 10m ./config
	RELOADS=50 go test -count=1 -run 'TestReload$$' -timeout 10m -v ./cmd/plexus-registry

lint: ## Check format, vet and staticcheck
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

fuzz: ## Run every fuzz target for FUZZTIME each (30s)
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

ci: ## What CI runs
	bash .ci/run
