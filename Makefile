# SPDX-License-Identifier: AGPL-3.0-only

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOSEC       = github.com/securego/gosec/v2/cmd/gosec@v2.30.0
DEADCODE    = golang.org/x/tools/cmd/deadcode@v0.52.0
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
PEBBLE      = github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1

.PHONY: help run build man test race reload load pebble acme lint size security fuzz fuzz-short fuzz-ci bench ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Run the registry on port 4445
	@exec bin/plexus-registry

build: ## Build the commands into bin/, statically linked
	CGO_ENABLED=0 go build -o bin/ ./cmd/...

man: ## Write the manual pages of plexus and plexus-registry into bin/man/
	mkdir -p bin/man
	MANDIR=$(CURDIR)/bin/man go test -count=1 -run '^TestManPages$$' ./cmd/...

test: ## Run the tests
	go test ./...

race: ## Run the tests with the race detector
	go test -race ./...

reload: ## Test each way of saving backends.toml, 50 times in a row
	RELOADS=50 go test -count=1 -run '^TestReload$$' -timeout 10m ./internal/filewatch
	RELOADS=50 go test -count=1 -run '^TestReload$$' -timeout 10m -v ./cmd/plexus-registry

load: ## Attack a registry, and show what that costs
	LOAD=1 go test -count=1 -run '^TestLoad' -timeout 10m -v ./cmd/plexus-registry

pebble:
	GOBIN=$(CURDIR)/bin go install $(PEBBLE)

acme: pebble ## Get a certificate from a certificate authority for tests
	PATH=$(CURDIR)/bin:$$PATH CI=true go test -count=1 -run '^TestCertificateByACME$$' -v ./cmd/plexus-registry

# Code that is nobody's API must be reachable from the commands, without the tests.
NOT_API = '^(cmd|config|internal)/'

lint: ## Check format, vet, staticcheck and deadcode
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	@dead="$$(go run $(DEADCODE) -test ./...; go run $(DEADCODE) ./... | grep -E $(NOT_API) | grep -v ^internal/testkit)"; \
	test -z "$$dead" || { echo "$$dead"; exit 1; }

size: ## Count lines, exported names, and things that may exist only once
	@go test -count=1 -run '^TestSize$$' -v ./internal/house | sed -n 's/^        //p'

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

# The four that read what anybody may send.
fuzz-ci: ## Run what CI fuzzes: frames, parameters, tokens, X-Forwarded-For, 30 seconds each
	go test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime 30s ./internal/wire
	go test -run '^$$' -fuzz '^FuzzBind$$' -fuzztime 30s ./internal/codec
	go test -run '^$$' -fuzz '^FuzzTokens$$' -fuzztime 30s ./transport/auth
	go test -run '^$$' -fuzz '^FuzzForwardedFor$$' -fuzztime 30s ./transport

# What gosec is not asked, each for a reason; lines that it is wrong about say so.
# G104: what is not checked are closes, deadlines and last words to connections
#       that are given up; staticcheck and review see to the rest.
# G115: conversions of what was bounded before: ports, sizes, counters, time.
# G124: cookies of requests, whose attributes nobody would read.
# G304, G703, G704: paths and URLs that the operator, or the user of the command
#       line, gives.
GOSEC_EXCEPT = G104,G115,G124,G304,G703,G704

security: ## Run gosec, and govulncheck where its database can be reached
	go run $(GOSEC) -quiet -exclude=$(GOSEC_EXCEPT) -exclude-dir=examples -exclude-dir=internal/testkit ./...
	GOBIN=$(CURDIR)/bin go install $(GOVULNCHECK)
	bin/govulncheck ./... || { test $$? -ne 3 && echo "govulncheck can't reach its database here: nothing was checked"; }

bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

ci: ## What CI runs
	bash .ci/run
