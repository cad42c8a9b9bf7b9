# SPDX-License-Identifier: AGPL-3.0-only

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help run build test race reload load lint fuzz fuzz-short bench ci

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

load: ## Do to a registry what clients should not, and show what it costs
	LOAD=1 go test -count=1 -run '^TestLoad' -timeout 10m -v ./cmd/plexus-registry

lint: ## Check format, vet and staticcheck
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

# Only packages that have a fuzz target are built for it.
define fuzz
@set -e; for folder in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
	for target in $$(go test -list '^Fuzz' $$folder | grep '^Fuzz'); do \
		echo "$$folder $$target"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(1) $$folder; \
	done; \
done
endef

fuzz: ## Run every fuzz target for 10 minutes
	$(call fuzz,10m)

fuzz-short: ## Run every fuzz target for 30 seconds
	$(call fuzz,30s)

bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

ci: ## What CI runs
	bash .ci/run
