package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/guests"
)

// engine is the one engine of this test process, as a process of the product has one.
var engine *sandbox.Engine

// cacheDir keeps what tests compile, so that each guest is compiled once.
var cacheDir string

func TestMain(m *testing.M) {
	ctx := context.Background()
	var err error
	if cacheDir, err = os.MkdirTemp("", "writ-sandbox-test"); err != nil {
		panic(err)
	}
	if engine, err = sandbox.New(ctx, sandbox.Config{CacheDir: cacheDir}); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := errors.Join(engine.Close(ctx), os.RemoveAll(cacheDir)); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// newEngine is an engine of one test or benchmark. All share the folder of compiled code.
func newEngine(tb testing.TB, cfg sandbox.Config) *sandbox.Engine {
	tb.Helper()
	if cfg.CacheDir == "" {
		cfg.CacheDir = cacheDir
	}
	e, err := sandbox.New(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return e
}

func compileWith(tb testing.TB, e *sandbox.Engine, module []byte) *sandbox.Code {
	tb.Helper()
	admitted, err := sandbox.Admit(module, capabilities.ABI, everyKind)
	if err != nil {
		tb.Fatal(err)
	}
	code, err := e.Compile(tb.Context(), admitted)
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

var everyKind = []capabilities.Kind{capabilities.KindHTTP, capabilities.KindWeb, capabilities.KindConfig, capabilities.KindKV, "elicit"}

// enough are limits that no honest guest of these tests meets.
func enough() sandbox.Limits {
	return sandbox.Limits{Memory: 64 << 20, Wall: time.Minute, Output: 1 << 20, Log: 64 << 10, HostCalls: 1 << 20}
}

// compile admits and compiles a module for one test.
func compile(tb testing.TB, module []byte) *sandbox.Code {
	tb.Helper()
	admitted, err := sandbox.Admit(module, capabilities.ABI, everyKind)
	if err != nil {
		tb.Fatal(err)
	}
	code, err := engine.Compile(tb.Context(), admitted)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { code.Close(context.Background()) })
	return code
}

var probeOnce struct {
	sync.Once
	code *sandbox.Code
}

// probe is the Go guest of testdata/guests/probe, compiled once for all tests.
func probe(tb testing.TB) *sandbox.Code {
	tb.Helper()
	probeOnce.Do(func() {
		admitted, err := sandbox.Admit(guests.Build(tb, "probe"), capabilities.ABI, everyKind)
		if err != nil {
			tb.Fatal(err)
		}
		if probeOnce.code, err = engine.Compile(tb.Context(), admitted); err != nil {
			tb.Fatal(err)
		}
	})
	if probeOnce.code == nil {
		tb.Fatal("the probe could not be compiled")
	}
	return probeOnce.code
}

// ask is what the probe is asked.
type ask struct {
	Do   string   `json:"do"`
	Text string   `json:"text,omitempty"`
	N    int      `json:"n,omitempty"`
	List []string `json:"list,omitempty"`
}

func (a ask) call(host sandbox.Host) sandbox.Call {
	input, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return sandbox.Call{Entry: sandbox.EntryCall, Input: input, Host: host, Limits: enough()}
}

// answer runs a call that has to succeed and decodes its output.
func answer[T any](tb testing.TB, code *sandbox.Code, call sandbox.Call) T {
	tb.Helper()
	var v T
	out := code.Run(tb.Context(), call)
	if out.Fault != nil {
		tb.Fatalf("fault: %v\nlogs: %v", out.Fault, out.Logs)
	}
	if err := json.Unmarshal(out.Output, &v); err != nil {
		tb.Fatalf("output %q: %v", out.Output, err)
	}
	return v
}

// wantFault checks kind and text of a failed call.
func wantFault(tb testing.TB, out sandbox.Outcome, kind sandbox.FaultKind, text string) {
	tb.Helper()
	if out.Fault == nil {
		tb.Fatalf("no fault, output %q; want %s: %s", out.Output, kind, text)
	}
	if out.Fault.Kind != kind || out.Fault.Text != text {
		tb.Errorf("fault %q; want \"%s: %s\"", out.Fault, kind, text)
	}
	if out.Output != nil {
		tb.Errorf("a failed call has output %q", out.Output)
	}
}
