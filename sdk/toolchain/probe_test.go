package toolchain_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain"
)

// probe is testdata/probe, built and compiled once.
var probe = sync.OnceValues(func() (*sandbox.Code, error) {
	dir, err := os.MkdirTemp("", "writ-probe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS("testdata/probe")); err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "probe.wasm")
	if _, err := toolchain.Build(context.Background(), toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: cacheDir}); err != nil {
		return nil, err
	}
	file, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	u, err := capabilities.Read(file)
	if err != nil {
		return nil, err
	}
	s, err := u.Verify()
	if err != nil {
		return nil, err
	}
	admitted, err := sandbox.Admit(s.Module(), capabilities.ABI, []capabilities.Kind{capabilities.KindHTTP, capabilities.KindConfig})
	if err != nil {
		return nil, err
	}
	engine, err := sandbox.New(context.Background(), sandbox.Config{CacheDir: cacheDir})
	if err != nil {
		return nil, err
	}
	return engine.Compile(context.Background(), admitted)
})

// site is a host with one site and one setting. It refuses everything else by its embedded nil.
type site struct {
	sandbox.Host
	fetch func(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error)
}

func (site) Preopens() []effect.Preopen { return nil }

func (site) Config(_ context.Context, key string) (string, *effect.Error) {
	if key != "GREETING" {
		return "", &effect.Error{Code: effect.NotFound, Text: "no such key"}
	}
	return strings.Repeat("long ", 200), nil // longer than the SDK's first buffer
}

func (s site) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	return s.fetch(ctx, req)
}

func callProbe(t *testing.T, host sandbox.Host, tool, arguments string) sandbox.Outcome {
	t.Helper()
	code, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	return code.Run(t.Context(), sandbox.Call{
		Entry: sandbox.EntryCall,
		Input: []byte(`{"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `,"future":1}}`),
		Host:  host,
		Limits: sandbox.Limits{
			Memory: 64 << 20, Wall: 20 * time.Second, Output: 1 << 20, Log: 16 << 10, HostCalls: 100_000,
		},
	})
}

func textOf(t *testing.T, o sandbox.Outcome) (string, bool) {
	t.Helper()
	if o.Fault != nil {
		t.Fatalf("the call failed: %v\nlog: %v", o.Fault, o.Logs)
	}
	var result struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(o.Output, &result); err != nil || len(result.Content) != 1 {
		t.Fatalf("the answer is %s (%v)", o.Output, err)
	}
	return result.Content[0].Text, result.IsError
}

func TestSDKInASandbox(t *testing.T) {
	rows := []struct {
		name, tool, arguments, want string
		isError                     bool
	}{
		{"a text with its default argument", "text", `{}`, "hello world", false},
		{"an error for the model", "fail", `{"name":"file"}`, "no file", true},
		{"a setting longer than the first buffer", "config", `{}`, "1000 true false", false},
		{"a wrong argument that a host let through", "text", `{"name":7}`, "argument name: a JSON number does not fit string", true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			text, isError := textOf(t, callProbe(t, site{}, row.tool, row.arguments))
			if text != row.want || isError != row.isError {
				t.Errorf("got %q, error %v", text, isError)
			}
		})
	}
}

func TestAuthorsBugsAreToldInWords(t *testing.T) {
	rows := []struct {
		name, tool, arguments string
		kind                  sandbox.FaultKind
		text, log             string
	}{
		{"a panic", "panic", `{}`, sandbox.FaultTool, "the tool panic has a bug and stopped: oh no", "panicked: oh no"},
		{"a nil pointer", "nil", `{}`, sandbox.FaultTool, "nil pointer dereference", "panicked: runtime error"},
		{"an unknown tool", "nope", `{}`, sandbox.FaultTool, `this servlet has no tool "nope"`, ""},
		{"a panic that nobody can catch", "crash", `{}`, sandbox.FaultTrap, "", "panic: in a goroutine"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := callProbe(t, site{}, row.tool, row.arguments)
			if o.Fault == nil || o.Fault.Kind != row.kind || !strings.Contains(o.Fault.Text, row.text) {
				t.Errorf("got %v, log %v", o.Fault, o.Logs)
			}
			if !slices.ContainsFunc(o.Logs, func(l effect.LogLine) bool { return strings.Contains(l.Text, row.log) }) && row.log != "" {
				t.Errorf("the log has no %q: %v", row.log, o.Logs)
			}
		})
	}
}

func TestTooBigAResultIsAFailureOfTheCall(t *testing.T) {
	if text, _ := textOf(t, callProbe(t, site{}, "big", `{"n":1000000}`)); len(text) != 1_000_000 {
		t.Errorf("got %d bytes", len(text))
	}
	o := callProbe(t, site{}, "big", `{"n":2000000}`)
	if o.Fault == nil || o.Output != nil {
		t.Errorf("got %v and %d bytes", o.Fault, len(o.Output))
	}
}

func TestLogAndPrintReachTheOperator(t *testing.T) {
	o := callProbe(t, site{}, "log", `{}`)
	want := []effect.LogLine{{Level: effect.Fault, Text: "to the operator"}, {Level: effect.Info, Text: "printed"}}
	if text, _ := textOf(t, o); text != "ok" || !slices.Equal(o.Logs, want) {
		t.Errorf("got %q and %v", text, o.Logs)
	}
}

// Nobody is answered before all have asked: were the exchanges done one after the other, the call would
// run into its deadline.
func TestGoroutinesFetchAtOnceOnOneThread(t *testing.T) {
	const n = 8
	var all sync.WaitGroup
	all.Add(n)
	host := site{fetch: func(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		all.Done()
		all.Wait()
		if req.Path == "/3" {
			return effect.HTTPResponse{}, &effect.Error{Code: effect.Unavailable, Text: "nobody there"}
		}
		return effect.HTTPResponse{Status: 200, Header: []effect.Header{{Name: "X-Test", Value: req.Method}}, Body: []byte(req.Path)}, nil
	}}
	text, _ := textOf(t, callProbe(t, host, "fetch", `{"n":8}`))
	lines := strings.Split(text, "\n")
	if len(lines) != n || lines[0] != "200 GET /0 <nil>" || lines[3] != `0   GET /3 of "api": nobody there` {
		t.Errorf("got %q", lines)
	}
}

func TestFetchEndsWithItsContextInASandbox(t *testing.T) {
	host := site{fetch: func(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		<-ctx.Done()
		return effect.HTTPResponse{}, &effect.Error{Code: effect.Cancelled, Text: "cancelled"}
	}}
	if text, _ := textOf(t, callProbe(t, host, "slow", `{}`)); text != "true" {
		t.Errorf("got %q", text)
	}
}

// Warming must work without a host, and leave a module that still answers.
func TestWarm(t *testing.T) {
	code, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	o := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryWarm, Limits: sandbox.Limits{
		Memory: 64 << 20, Wall: 20 * time.Second, Output: 1 << 20, Log: 16 << 10, HostCalls: 100_000,
	}})
	if o.Fault != nil {
		t.Error(o.Fault)
	}
}
