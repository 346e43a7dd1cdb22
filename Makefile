# The loop: make run (see it work), make check (fast), make test (what CI runs), make bench.
GO        ?= go
OUT       := out
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS   := -s -w
# testdata is outside ./... by Go's rules; these packages are code all the same.
PACKAGES  := ./... ./testdata/bench/... ./testdata/client/... ./testdata/guests ./testdata/hostile/... ./testdata/house/... ./testdata/tsclient
# host/wasm computes and shares nothing: the race detector would find nothing there, and takes five times as long.
ALONE     := ./cmd/... ./sdk/... ./host/wasm/... ./testdata/bench/... ./testdata/hostile/...
RACED      = $(filter-out ./... $(ALONE),$(PACKAGES)) ./capabilities/... ./registry/... $(filter-out %/host/wasm %/host/wasm/wasmtest,$(shell $(GO) list ./host/...))
TSCLIENT  := $(if $(shell command -v npm),testdata/tsclient/node_modules)
SCRIPTS   := sdk/toolchain/testdata/packages
NPM       := $(if $(shell command -v npm),$(SCRIPTS)/node_modules)
SERVLETS  := filesystem
FUZZTIME  ?= 10s
PROGRAMS  ?= 5000
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

export CGO_ENABLED ?= 1

.PHONY: run build test test-race check cross bench bench-compare peers differential fuzz torture test-all attacks engine servlets dist clean

# run shows the main job: a signed servlet, approved for one directory, answers a real tool call.
run: build
	$(OUT)/writ demo

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(OUT)/writ ./cmd/writ

# test passes every test. The race detector is on where this project's own code shares memory;
# what is in ALONE drives programs or computes. Skipped tests are counted and say why.
test: check $(TSCLIENT) $(NPM)
	@{ $(GO) test -json -race -timeout 20m $(RACED); \
	  $(GO) test -json -timeout 20m $(ALONE); \
	  (cd sdk/go && $(GO) test -json -race ./...); \
	  (cd servlets/filesystem && $(GO) test -json -race ./...); \
	} | $(GO) run ./testdata/house/report

# The official TypeScript client, for the tests that drive it; without npm they are skipped.
testdata/tsclient/node_modules: testdata/tsclient/package-lock.json
	npm --prefix testdata/tsclient ci --no-audit --no-fund --silent
	@touch $@

# Packages that tests bundle into a servlet, and the compiler that checks the TypeScript SDK's types;
# without npm those tests are skipped.
$(SCRIPTS)/node_modules: $(SCRIPTS)/package-lock.json
	npm --prefix $(SCRIPTS) ci --no-audit --no-fund --silent
	@touch $@

check:
	@unformatted=$$(gofmt -l cmd host capabilities registry sdk servlets testdata); \
	if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PACKAGES)
	cd sdk/go && $(GO) vet ./...
	cd servlets/filesystem && $(GO) vet ./...
	$(STATICCHECK) $(PACKAGES)
	$(GO) test ./testdata/house/... -count=1
	$(GO) test -run '^TestImports$$' ./...
	$(MAKE) cross

# cross shows that every released platform still builds.
cross:
	@for p in $(PLATFORMS); do \
	  echo "build $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/writ || exit 1; \
	done

# bench writes out/bench.json and out/bench.txt and prints a table: each figure beside its yardstick and
# its target. It takes some minutes; ONLY=fresh,same takes less. What this machine has no compiler for is
# left out and listed.
bench: build servlets
	@$(GO) run ./testdata/bench -writ $(OUT)/writ -servlet $(OUT)/filesystem.wasm -only "$(ONLY)" -o $(OUT)/bench.json -text $(OUT)/bench.txt

# bench-compare REF=main runs the benchmarks of that commit and of this tree in turn and compares them.
# ONLY and COUNT choose figures and runs.
bench-compare:
	@mkdir -p $(OUT) && $(GO) build -o $(OUT)/bench-compare ./testdata/bench/compare
	@$(OUT)/bench-compare -ref "$$REF" $(if $(ONLY),-only "$(ONLY)") $(if $(COUNT),-count "$(COUNT)")

# peers checks the programs that run the same work in other runtimes: a module of its own, and a large
# download, so that check and test do without it.
peers:
	cd testdata/peers && $(GO) vet ./... && GOOS=wasip1 GOARCH=wasm $(GO) vet ./extism && $(STATICCHECK) ./bench ./differential

# fuzz runs every fuzz target for FUZZTIME.
fuzz:
	@for pkg in $$($(GO) list ./... ); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "fuzz $$pkg $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

# differential runs the specification's modules and PROGRAMS random ones in wasmtime and in both engines of
# the product's runtime, plain and metered: results, traps, memories and globals have to be the same.
differential:
	cd testdata/peers && WRIT_DIFFERENTIAL_PROGRAMS=$(PROGRAMS) $(GO) test -count=1 -v -timeout 30m ./differential

# torture compiles the hardest modules that the gate lets pass, of each class, and large real programs:
# each in less than 10 s, or 20 s, and 512 MiB.
torture:
	WRIT_TORTURE=1 $(GO) test -count=1 -v -timeout 90m -run '^Test(GateLimits|LargePrograms)Compile$$' ./host/wasm

# attacks carries out the attack table, and again without each of the rules that it tests: a row that
# does not turn red then tests nothing.
attacks:
	$(GO) run ./testdata/hostile

# engine builds the script engine of TypeScript servlets anew, the same bytes every time. It needs
# clang-19; WRIT_QJS_SRC=FILE names the source package, without which apt fetches it.
engine:
	sdk/typescript/engine/build.sh

# test-all is everything that can be shown; it takes more than an hour.
test-all: test differential attacks fuzz torture

servlets: build
	@for s in $(SERVLETS); do $(OUT)/writ --home $(OUT)/home build servlets/$$s -o $(OUT)/$$s.wasm || exit 1; done

# dist builds the static binary for every platform, with checksums.
dist:
	@rm -rf $(OUT)/dist && mkdir -p $(OUT)/dist
	@for p in $(PLATFORMS); do \
	  os=$${p%/*}; arch=$${p#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  echo "dist $$p"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' \
	    -o $(OUT)/dist/writ-$$os-$$arch$$ext ./cmd/writ || exit 1; \
	done
	cd $(OUT)/dist && sha256sum writ-* > SHA256SUMS

clean:
	rm -rf $(OUT)
