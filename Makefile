# The loop: make run (see it work), make check (fast), make test (what CI runs), make bench.
GO        ?= go
OUT       := out
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS   := -s -w
VERSION   ?= $(shell git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null | sed s/^v//)
COMMIT    ?= $(shell git rev-parse HEAD 2>/dev/null)$(shell git diff --quiet HEAD 2>/dev/null || echo -dirty)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
# testdata is outside ./... by Go's rules; these packages are code all the same.
PACKAGES  := ./... ./testdata/abi ./testdata/bench/... ./testdata/cargo ./testdata/client/... ./testdata/driver ./testdata/guests ./testdata/hostile/... ./testdata/house/... ./testdata/pyclient ./testdata/tsclient
# host/wasm computes and shares nothing: the race detector would find nothing there, and takes five times as long.
ALONE     := ./cmd/... ./sdk/... ./servlets/builtin ./host/wasm/... ./testdata/abi ./testdata/bench/... ./testdata/hostile/...
RACED      = $(filter-out ./... $(ALONE),$(PACKAGES)) ./capabilities/... ./registry/... $(filter-out %/host/wasm %/host/wasm/wasmtest,$(shell $(GO) list ./host/...))
TSCLIENT  := $(if $(shell command -v npm),testdata/tsclient/node_modules)
PYCLIENT  := $(if $(shell python3 -c 'import sys, venv, ensurepip; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),testdata/pyclient/.venv/complete)
SCRIPTS   := sdk/toolchain/testdata/packages
NPM       := $(if $(shell command -v npm),$(SCRIPTS)/node_modules)
SERVLETS  := fetch filesystem memory time
SCRIPTED  := brave-search eval-js
RUSTED    := jq qr-code
RUST       = $(shell command -v cargo >/dev/null && ls "$$(rustc --print target-libdir --target wasm32-wasip1 2>/dev/null)"/libstd-*.rlib 2>/dev/null)
CRATES    := $(filter-out servlets/eval-py/%,$(wildcard sdk/rust/Cargo.lock testdata/abi/rust/Cargo.lock servlets/*/Cargo.lock))
CARGO     := $(if $(shell command -v cargo),$(OUT)/rust/fetched)
FUZZTIME  ?= 10s
PROGRAMS  ?= 5000
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# The servlets that are built into writ, packed to be embedded, and what they are made of.
PAYLOAD   := servlets/builtin/payload
PACKED    := $(PAYLOAD)/index.json
BUILTIN   := $(sort $(SERVLETS) $(SCRIPTED))
PACKS     := $(BUILTIN:%=servlets/%) testdata/probe
INGREDIENTS := $(shell find $(PACKS) sdk/go sdk/toolchain sdk/typescript cmd/release servlets/builtin capabilities host/sandbox host/wasm -type f ! -name '*_test.go' ! -path '*/testdata/*' ! -path '$(PAYLOAD)/*' ! -path '*/node_modules/*' ! -path '*/.writ/*')
RELEASE   := VERSION='$(VERSION)' COMMIT='$(filter-out -dirty,$(COMMIT))' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' CGO_ENABLED=0 $(GO) run ./cmd/release
HERE       = $(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH)

export CGO_ENABLED ?= 1

.PHONY: run build test test-race check cross bench bench-compare peers differential fuzz torture test-all attacks engine packed servlets repack dist dist-here dist-twice newcomer deb man clean

# run shows the main job: a signed servlet, approved for one directory, answers a real tool call.
run: build
	$(OUT)/writ demo

# build makes out/writ, with the servlets that ship with it inside.
build: $(PACKED)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(OUT)/writ ./cmd/writ

# man writes a page for every verb to out/man.
man: build
	$(OUT)/writ man $(OUT)/man

# test passes every test. The race detector is on where this project's own code shares memory;
# what is in ALONE drives programs or computes. Skipped tests are counted and say why.
test: check $(PACKED) $(TSCLIENT) $(PYCLIENT) $(NPM) $(CARGO)
	@{ $(GO) test -json -race -timeout 10m $(RACED); \
	  $(GO) test -json -timeout 20m $(ALONE); \
	  (cd sdk/go && $(GO) test -json -race ./...); \
	  for s in $(SERVLETS); do (cd servlets/$$s && $(GO) test -json -race ./...); done; \
	} | $(GO) run ./testdata/house/report

# The official TypeScript client, for the tests that drive it; without npm they are skipped.
testdata/tsclient/node_modules: testdata/tsclient/package-lock.json
	npm --prefix testdata/tsclient ci --no-audit --no-fund --silent
	@touch $@

# The official Python client, in an environment of its own; without Python 3.11 and its venv the tests
# are skipped. Every file is pinned by its digest.
testdata/pyclient/.venv/complete: testdata/pyclient/requirements.txt
	@rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	@touch $@

# Packages that tests bundle into a servlet, and the compiler that checks the TypeScript SDK's types;
# without npm those tests are skipped.
$(SCRIPTS)/node_modules: $(SCRIPTS)/package-lock.json
	npm --prefix $(SCRIPTS) ci --no-audit --no-fund --silent
	@touch $@

# Crates of the servlets in Rust that tests build; without cargo, its library for WebAssembly or the crates
# those tests are skipped.
$(OUT)/rust/fetched: $(CRATES)
	@mkdir -p $(@D)
	@for lock in $(CRATES); do (cd $$(dirname $$lock) && cargo fetch --quiet --locked) || exit 0; done; touch $@

check:
	@unformatted=$$(gofmt -l cmd host capabilities registry sdk servlets testdata); \
	if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PACKAGES)
	cd sdk/go && $(GO) vet ./...
	@for s in $(SERVLETS); do (cd servlets/$$s && $(GO) vet ./... && $(STATICCHECK) ./...) || exit 1; done
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
bench: packed
	@$(GO) run ./testdata/bench -writ $(OUT)/writ -servlet $(OUT)/filesystem.wasm -only "$(ONLY)" -o $(OUT)/bench.json -text $(OUT)/bench.txt

# bench-compare REF=main runs the benchmarks of that commit and of this tree in turn and compares them.
# ONLY and COUNT choose figures and runs.
bench-compare:
	@mkdir -p $(OUT) && $(GO) build -o $(OUT)/bench-compare ./testdata/bench/compare
	@$(OUT)/bench-compare -ref "$$REF" $(if $(ONLY),-only "$(ONLY)") $(if $(COUNT),-count "$(COUNT)")

# peers checks the programs that run the same work in other runtimes, and that a plug-in of Extism is
# answered as by its own host: a module of its own, and a large download, so that check and test do without it.
peers:
	cd testdata/peers && $(GO) vet ./... && GOOS=wasip1 GOARCH=wasm $(GO) vet ./extism ./plugin && $(STATICCHECK) ./bench ./conformance ./differential
	cd testdata/peers && $(GO) test -count=1 ./conformance

# fuzz runs every fuzz target for FUZZTIME.
fuzz:
	@for pkg in $$($(GO) list ./... ); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "fuzz $$pkg $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done
	@for s in $(SERVLETS); do cd servlets/$$s || exit 1; \
	  for f in $$($(GO) test -list '^Fuzz' . | grep '^Fuzz'); do \
	    echo "fuzz servlets/$$s $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) . || exit 1; \
	  done; cd ../..; \
	done

# differential runs the specification's modules and PROGRAMS random ones in wasmtime and in both engines of
# the product's runtime, plain and metered: results, traps, memories and globals have to be the same.
differential:
	cd testdata/peers && WRIT_DIFFERENTIAL_PROGRAMS=$(PROGRAMS) $(GO) test -count=1 -v -timeout 30m ./differential

# torture validates and compiles the hardest modules that the gate lets pass, of each class, and large real
# programs: each in less than 10 s of a processor and 512 MiB, twice.
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
test-all: test peers differential attacks fuzz torture

# The modules of each servlet are fetched first: writ builds without a network.
$(PACKED): $(INGREDIENTS)
	@for s in $(SERVLETS); do (cd servlets/$$s && $(GO) mod download) || exit 1; done
	@CGO_ENABLED=0 $(GO) run ./cmd/release servlets -into $(PAYLOAD) -cache $(OUT)/cache -probe testdata/probe $(BUILTIN:%=servlets/%)

# servlets builds every servlet to out/NAME.wasm. Those in Rust are left out, and listed, where Rust or its
# library for WebAssembly is missing; else their tests run as well, here and not in "make test", as compiling
# them takes minutes. eval-py is not among them: what it is compiled to has functions above the gate's limits
# (see its README).
servlets: packed
	@$(if $(RUST),for s in $(RUSTED); do \
	  (cd servlets/$$s && cargo fetch --quiet --locked) && $(OUT)/writ --home $(OUT)/home build servlets/$$s -o $(OUT)/$$s.wasm || exit 1; \
	done && $(GO) test -count=1 ./servlets,echo "left out: $(RUSTED): they need Rust with its library for wasm32-wasip1 (rustup target add wasm32-wasip1)")

# packed builds the servlets that are built into writ as files of their own.
packed: build
	@for s in $(BUILTIN); do $(OUT)/writ --home $(OUT)/home build servlets/$$s -o $(OUT)/$$s.wasm || exit 1; done

# repack builds the servlets anew, whatever the dates of their files say.
repack:
	@rm -f $(PACKED)
	@$(MAKE) --no-print-directory $(PACKED)

# dist makes what is handed out: an archive, a bill of materials and checksums for every platform, Debian
# packages, the Homebrew formula, and in out/image what a container image is built from.
dist: repack
	@rm -rf $(OUT)/dist $(OUT)/image
	@$(RELEASE) archives -o $(OUT)/dist $(PLATFORMS)
	@$(MAKE) --no-print-directory build
	@$(RELEASE) packages -o $(OUT)/dist -writ $(OUT)/writ -image $(OUT)/image

# dist-here makes the archive of this platform alone.
dist-here: repack
	@rm -rf $(OUT)/dist
	@$(RELEASE) archives -o $(OUT)/dist $(HERE)

# newcomer follows the README on a machine with nothing but this platform's archive, which it takes from
# $(OUT)/dist or makes, and prints the commands and the seconds to the first answer. It needs Linux.
newcomer:
	@ls $(OUT)/dist/writ-*-$(subst /,-,$(HERE)).tar.gz >/dev/null 2>&1 || $(MAKE) --no-print-directory dist-here
	@WRIT_ARCHIVE=$$(ls -t $(CURDIR)/$(OUT)/dist/writ-*-$(subst /,-,$(HERE)).tar.gz | head -1) $(GO) test -count=1 -v -run '^TestANewcomerFollowsTheReadme$$' ./cmd/writ

# deb makes the Debian package of this architecture.
deb: repack
	@rm -rf $(OUT)/dist
	@$(RELEASE) archives -o $(OUT)/dist linux/$(lastword $(subst /, ,$(HERE)))
	@$(MAKE) --no-print-directory build
	@$(RELEASE) packages -o $(OUT)/dist -writ $(OUT)/writ

# dist-twice shows that the archive of this platform is the same to the byte when it is built again: from
# a copy of the source in another folder, servlets and all, with nothing of the first build kept.
dist-twice: dist-here
	@set -e; again=$$(mktemp -d); trap 'chmod -R u+w '$$again'; rm -rf '$$again EXIT; mkdir $$again/elsewhere; \
	git ls-files -z --cached --others --exclude-standard | tar c --null -T - | tar x -C $$again/elsewhere; \
	GOCACHE=$$again/cache $(MAKE) -C $$again/elsewhere dist-here VERSION='$(VERSION)' COMMIT='$(COMMIT)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)'; \
	cmp $(OUT)/dist/SHA256SUMS $$again/elsewhere/$(OUT)/dist/SHA256SUMS; echo "the same:"; cat $(OUT)/dist/SHA256SUMS

clean:
	rm -rf $(OUT)
	find $(PAYLOAD) -type f ! -name .gitignore -delete
