# The loop: make run (see it work), make check (fast), make test (what CI runs), make bench.
GO        ?= go
OUT       := out
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS   := -s -w
# testdata is outside ./... by Go's rules; these packages are code all the same.
PACKAGES  := ./... ./testdata/bench ./testdata/bench/floor ./testdata/bench/spawn ./testdata/client/... ./testdata/guests ./testdata/house/... ./testdata/tsclient
RACED     := $(filter-out ./...,$(PACKAGES)) ./capabilities/... ./registry/... ./host/...
TSCLIENT  := $(if $(shell command -v npm),testdata/tsclient/node_modules)
SERVLETS  := filesystem
FUZZTIME  ?= 10s
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

export CGO_ENABLED ?= 1

.PHONY: run build test test-race check cross bench fuzz torture servlets dist clean

# run shows the main job: a signed servlet, approved for one directory, answers a real tool call.
run: build
	$(OUT)/writ demo

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(OUT)/writ ./cmd/writ

# test passes every test. The race detector is on where this project's own code shares memory;
# cmd/writ and sdk/toolchain only drive programs. Skipped tests are counted and say why.
test: check $(TSCLIENT)
	@{ $(GO) test -json -race -timeout 20m $(RACED); \
	  $(GO) test -json -timeout 20m ./cmd/... ./sdk/toolchain; \
	  (cd sdk/go && $(GO) test -json -race ./...); \
	  (cd servlets/filesystem && $(GO) test -json -race ./...); \
	} | $(GO) run ./testdata/house/report

# The official TypeScript client, for the tests that drive it; without npm they are skipped.
testdata/tsclient/node_modules: testdata/tsclient/package-lock.json
	npm --prefix testdata/tsclient ci --no-audit --no-fund --silent
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

# bench writes out/bench.json and prints it as a table.
bench: build servlets
	$(GO) run ./testdata/bench -writ $(OUT)/writ -servlet $(OUT)/filesystem.wasm -o $(OUT)/bench.json

# fuzz runs every fuzz target for FUZZTIME.
fuzz:
	@for pkg in $$($(GO) list ./... ); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "fuzz $$pkg $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

# torture compiles the hardest modules that the gate lets pass: each in less than 10 s and 512 MiB.
torture:
	WRIT_TORTURE=1 $(GO) test -count=1 -v -timeout 30m -run '^TestGateLimitsCompile$$' ./host/wasm

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
