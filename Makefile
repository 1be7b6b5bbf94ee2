# Regent's chores. `make help` lists them.

SHELL       := /bin/bash
MODULE      := github.com/regent-registry/regent
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BUILD_FLAGS := -trimpath -ldflags "-X $(MODULE)/internal/daemon.version=$(VERSION)"
# The profile beside cmd/elb is for the programs that `build` makes: tests and linters would compile all that elb links a second time for it.
export GOFLAGS := $(strip $(shell go env GOFLAGS) -pgo=off)
# SQLite is C turned into Go, on memory of its own that the race detector does not follow: told to watch it all the same, it finds nothing and takes five
# times as long. Our code, the driver and its locks are watched.
# The same holds for the blocks of memory of argon2, which no two goroutines of ours share: it takes twice as long when watched.
unwatched   := modernc.org/sqlite/lib modernc.org/libc golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b
RACE        := -race $(unwatched:%=-gcflags=%=-race=false)
TEST_FLAGS  := $(RACE) -shuffle=on -count=1
TOOL        := go tool -modfile=internal/tools/go.mod
# Everything but the journeys over real processes, which run alone: on two cores they would starve the rest, and be starved. The packages that take longest
# come first: at the end they would keep one core waiting for the other.
LONGEST       := pkg/registry/sqlstore pkg/registry/console pkg/registry/httpapi
UNIT_PACKAGES = $(LONGEST:%=$(MODULE)/%) $(shell go list ./... | grep -v -e /internal/e2e $(LONGEST:%=-e '/%$$'))
# Tests keep their databases in memory where there is room: none of them cuts the power, and a commit would wait milliseconds for the disk, or seconds for a
# busy one. What ends a process or a server leaves such files as it leaves those on a disk. IN_MEMORY= keeps them in TMPDIR, where what Go builds lies anyway.
# Others may enter the folder: a MariaDB that root starts runs as its own user.
IN_MEMORY   ?= $(shell [ -w /dev/shm ] && [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -ge 4000000 ] && echo /dev/shm)
in_memory   := $(if $(IN_MEMORY),folder=$$(mktemp -d $(IN_MEMORY)/regent-XXXXXX) && chmod 711 "$$folder" && trap 'rm -rf "$$folder"' EXIT &&)
TEST_FLAGS  += $(if $(IN_MEMORY),-exec "env TMPDIR=$$folder")
FUZZ_TIME   ?= 30s
ARTIFACTS   := $(CURDIR)/artifacts

.DEFAULT_GOAL := help
.PHONY: help build run run-mysql test unit e2e torture browser pictures browse-times quick lint fmt fuzz cover bench-lb bench-failures bench-registry scale pgo editor deps clean ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/elb and bin/registry
	CGO_ENABLED=0 go build $(BUILD_FLAGS) -pgo=auto -o bin/ ./cmd/elb ./cmd/registry

run: build ## the local cluster in the foreground, on SQLite; Ctrl-C stops it
	@go build -o bin/localcluster ./internal/localcluster
	@exec bin/localcluster

run-mysql: build ## the same on MySQL: REGISTRY_STORE_DSN, or a private MariaDB in run/mariadb
	@[ -n "$$REGISTRY_STORE_DSN" ] || .ci/deps mariadb
	@go build -o bin/localcluster ./internal/localcluster
	@exec bin/localcluster -mysql

test: deps ## everything: vet, all tests with the race detector, processes, database, browser
	go vet ./...
	$(MAKE) --no-print-directory unit e2e

unit: ## all tests but those over real processes
	$(in_memory) go test $(TEST_FLAGS) -timeout 50m $(UNIT_PACKAGES)
	go test -count=1 -run 'Alloc' ./pkg/lb/... # the race detector makes pools forget, so these are skipped above

e2e: ## the journeys over real processes, a real database and a real browser
	@rm -rf $(ARTIFACTS)/e2e && mkdir -p $(ARTIFACTS)/e2e
	$(in_memory) go test $(TEST_FLAGS) -timeout 50m -artifacts -outputdir $(ARTIFACTS)/e2e ./internal/e2e/...

torture: ## clients of three nodes under kills, freezes and database crashes for TORTURE (10m) on SQLite and on MariaDB; the history must be linearizable
	@rm -rf $(ARTIFACTS)/torture && mkdir -p $(ARTIFACTS)/torture
	$(in_memory) REGENT_TORTURE=$(or $(TORTURE),10m) go test $(TEST_FLAGS) -timeout 2h -v -run Torture -artifacts -outputdir $(ARTIFACTS)/torture ./internal/e2e/...

browser: ## the journeys in Chromium alone; screenshots in artifacts/
	@rm -rf $(ARTIFACTS)/browser && mkdir -p $(ARTIFACTS)/browser
	go test -count=1 -timeout 10m -v -run Browser -artifacts -outputdir $(ARTIFACTS)/browser ./internal/e2e/...

pictures: ## pictures of every page of the console, desktop and phone, light and dark, one by one and on sheets, in artifacts/pictures/; index.txt says what is where
	@rm -rf $(ARTIFACTS)/pictures && mkdir -p $(ARTIFACTS)/pictures
	REGENT_PICTURES=1 go test -count=1 -timeout 20m -v -run Browser_EveryPageFits -artifacts -outputdir $(ARTIFACTS)/pictures ./internal/e2e/...

browse-times: ## how long pages of the console take through elb with a collection of 100,000 entries and a tree of RESOURCES (1000000), on SQLite and on MariaDB
	@set -o pipefail; REGENT_BROWSE_TIMES=$(or $(RESOURCES),1000000) go test -count=1 -timeout 2h -v -run Browse_TimesInABigStore ./internal/e2e/... | grep -v level=

quick: ## the inner loop: vet, staticcheck, short tests
	go vet ./...
	$(TOOL) staticcheck ./...
	go test -short ./...

lint: ## golangci-lint, formatting, modernisers, module file
	$(TOOL) golangci-lint run
	go fix -diff ./...
	go mod tidy -diff

fmt: ## format the code
	$(TOOL) golangci-lint fmt

fuzz: ## each fuzz target for FUZZ_TIME (30s)
	@set -e; for package in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "== $$package $$target"; \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) $$package; \
	  done; \
	done

cover: ## coverage of all tests but the journeys, in artifacts/cover.html
	@mkdir -p $(ARTIFACTS)
	go test -timeout 12m -coverpkg=./... -coverprofile=$(ARTIFACTS)/cover.out $(UNIT_PACKAGES)
	go tool cover -html=$(ARTIFACTS)/cover.out -o $(ARTIFACTS)/cover.html
	@go tool cover -func=$(ARTIFACTS)/cover.out | tail -n 1

bench-lb: build ## elb beside nginx, HAProxy and Caddy, in docs/performance.md; ROUNDS=5 SECONDS=3 SCENARIOS= PROXIES=
	@.ci/deps bench
	@go build -o bin/bench ./internal/bench
	@exec bin/bench -out $(ARTIFACTS)/bench $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(SECONDS),-seconds $(SECONDS)) \
	  -scenarios "$(SCENARIOS)" -proxies "$(PROXIES)"

bench-failures: build ## members killed and frozen under load behind elb, nginx and HAProxy, in docs/performance.md; ROUNDS=5 KILLS=4 PROXIES=
	@.ci/deps hops
	@go build -o bin/bench ./internal/bench
	@exec bin/bench failures -out $(ARTIFACTS)/bench $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(KILLS),-kills $(KILLS)) -proxies "$(PROXIES)"

bench-registry: build ## the registry beside etcd and MariaDB, in docs/performance.md; ROUNDS=5 WINDOW=2s CELLS=
	@.ci/deps registry
	@go build -o bin/bench ./internal/bench
	@go build -C internal/bench/driver -o $(CURDIR)/bin/bench-driver .
	@exec bin/bench registry -out $(ARTIFACTS)/bench $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(WINDOW),-window $(WINDOW)) -cells "$(CELLS)"

scale: ## the same operations in stores of 10,000 and of RESOURCES (1000000) resources, on SQLite and MariaDB, in docs/performance.md; DATABASES= OPS= ROUNDS=3
	@.ci/deps mariadb
	@go build -o bin/bench ./internal/bench
	@exec bin/bench scale -out $(ARTIFACTS)/bench $(if $(RESOURCES),-resources $(RESOURCES)) $(if $(ROUNDS),-rounds $(ROUNDS)) -databases "$(DATABASES)" -ops "$(OPS)"

pgo: ## profile elb under load, into cmd/elb/default.pgo, by which the compiler optimises it; SECONDS=10 for each load, SCENARIOS=
	@.ci/deps bench
	CGO_ENABLED=0 go build $(BUILD_FLAGS) -o bin/elb-unguided ./cmd/elb # -pgo=off: the last profile has no part in the next
	@go build -o bin/bench ./internal/bench
	@exec bin/bench -elb bin/elb-unguided -profile cmd/elb/default.pgo -seconds $(or $(SECONDS),10) -scenarios "$(SCENARIOS)"

editor: ## bundle the console's code editor anew, into pkg/registry/console/static; needs node and npm, which building Regent does not
	cd pkg/registry/console/editor && npm ci --no-audit --no-fund && node build.js && node pack.js

deps: ## install what the tests need where it is missing (Debian): MariaDB, Chromium, nginx, HAProxy, slowhttptest
	@.ci/deps

clean: ## remove what build, run and test made
	rm -rf bin run artifacts

ci: ## what the gate does
	.ci/run
