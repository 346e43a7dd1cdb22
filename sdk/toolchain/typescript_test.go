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
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain"
)

// scriptSandbox is one engine for all scripts of the tests: their code is compiled once.
var scriptSandbox = sync.OnceValues(func() (*sandbox.Engine, error) {
	return sandbox.New(context.Background(), sandbox.Config{CacheDir: cacheDir})
})

// buildScript builds a folder of testdata and compiles what came out.
func buildScript(dir string) (installed, error) {
	out, err := os.MkdirTemp("", "writ-script-")
	if err != nil {
		return installed{}, err
	}
	defer os.RemoveAll(out)
	path := filepath.Join(out, "script.wasm")
	if _, err := toolchain.Build(context.Background(), toolchain.Options{Dir: dir, Output: path, Key: key, CacheDir: cacheDir}); err != nil {
		return installed{}, err
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return installed{}, err
	}
	u, err := capabilities.Read(file)
	if err != nil {
		return installed{}, err
	}
	s, err := u.Verify()
	if err != nil {
		return installed{}, err
	}
	admitted, err := sandbox.Admit(s.Module(), capabilities.ABI, s.Manifest().Capabilities.Kinds())
	if err != nil {
		return installed{}, err
	}
	engine, err := scriptSandbox()
	if err != nil {
		return installed{}, err
	}
	code, err := engine.Compile(context.Background(), admitted)
	return installed{s, code}, err
}

// script is testdata/script, built once; web is testdata/web.
var (
	script = sync.OnceValues(func() (installed, error) { return buildScript("testdata/script") })
	web    = sync.OnceValues(func() (installed, error) { return buildScript("testdata/web") })
)

// scriptHost has one setting, sites that a test makes up, and files of a guard.
type scriptHost struct {
	sandbox.Files
	site
}

func (scriptHost) Preopens() []effect.Preopen { return nil }

// guarded is a host whose files are those of a guard.
type guarded struct{ *guard.Guard }

func callScript(t *testing.T, host sandbox.Host, tool, arguments string) sandbox.Outcome {
	t.Helper()
	s, err := script()
	if err != nil {
		t.Fatal(err)
	}
	return s.code.Run(t.Context(), scriptCall(host, tool, arguments))
}

func scriptCall(host sandbox.Host, tool, arguments string) sandbox.Call {
	return sandbox.Call{
		Entry: sandbox.EntryCall,
		Input: []byte(`{"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `,"future":1}}`),
		Host:  host,
		Limits: sandbox.Limits{
			Memory: 64 << 20, Wall: 20 * time.Second, Output: 1 << 20, Log: 16 << 10, HostCalls: 100_000,
		},
	}
}

func TestScriptAnswers(t *testing.T) {
	rows := []struct{ name, tool, arguments, want string }{
		{"a text", "text", `{"name":"Ana \"ä\""}`, `{"content":[{"type":"text","text":"hello Ana \"ä\""}]}`},
		{"without an argument", "text", `{}`, `{"content":[{"type":"text","text":"hello world"}]}`},
		{"an object", "structured", `{}`, `{"content":[{"type":"text","text":"{\"n\":1}"}],"structuredContent":{"n":1}}`},
		{"a result", "result", `{}`, `{"content":[{"type":"image","data":"AA==","mimeType":"image/png"}],"isError":true}`},
		{"a text that was thrown", "string", `{}`, `{"content":[{"type":"text","text":"just a text"}],"isError":true}`},
		{"an error for the model", "fail", `{}`, `{"content":[{"type":"text","text":"no such city"}],"isError":true}`},
		{"a tool without arguments is given the context", "bare", `{}`, `{"content":[{"type":"text","text":"false function"}]}`},
		{"half a character", "lone", `{}`, "{\"content\":[{\"type\":\"text\",\"text\":\"a\ufffdb\"}]}"},
		{"a setting longer than the first buffer", "config", `{}`, `{"content":[{"type":"text","text":"1000 true undefined"}]}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := callScript(t, scriptHost{}, row.tool, row.arguments)
			if o.Fault != nil || string(o.Output) != row.want {
				t.Errorf("got %s, %v; want %s", o.Output, o.Fault, row.want)
			}
		})
	}
}

// What an author did wrong is told in words, and to the operator with the line of the author's file.
func TestScriptMistakesNameTheLine(t *testing.T) {
	rows := []struct{ name, tool, text, log string }{
		{"a mistake", "crash", "the tool crash has a bug and stopped: TypeError: cannot read property 'name' of undefined", "(deep/crash.ts:8:21)"},
		{"after waiting", "reject", "the tool reject has a bug and stopped: TypeError: cannot read property 'name' of undefined", "(deep/crash.ts:8:21)"},
		{"what is no error", "object", "the tool object has a bug and stopped: [object Object]", ""},
		{"a mistake in a timer", "timer", "TypeError: cannot read property 'name' of undefined", "(deep/crash.ts:8:21)"},
		{"no result", "nothing", "the tool nothing has a bug and stopped: TypeError: it returned undefined: return a text, an object or a result", ""},
		{"a promise that nothing settles", "forever", "the tool waits for a promise that nothing will settle", ""},
		{"an unknown tool", "nope", `this servlet has no tool "nope"`, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := callScript(t, scriptHost{}, row.tool, `{}`)
			if o.Fault == nil || o.Fault.Kind != sandbox.FaultTool || o.Fault.Text != row.text {
				t.Errorf("got %v, output %s", o.Fault, o.Output)
			}
			if !slices.ContainsFunc(o.Logs, func(l effect.LogLine) bool { return strings.Contains(l.Text, row.log) }) && row.log != "" {
				t.Errorf("the log has no %q: %v", row.log, o.Logs)
			}
		})
	}
	o := callScript(t, scriptHost{}, "unhandled", `{}`)
	if text, _ := textOf(t, o); text != "ok" || len(o.Logs) == 0 || o.Logs[0].Text != "unhandled rejection: Error: nobody looked" {
		t.Errorf("a rejection that nobody handled: %q, log %v", text, o.Logs)
	}
}

func TestScriptIsStoppedAtItsDeadline(t *testing.T) {
	s, err := script()
	if err != nil {
		t.Fatal(err)
	}
	call := scriptCall(scriptHost{}, "spin", `{}`)
	call.Limits.Wall = 200 * time.Millisecond
	if o := s.code.Run(t.Context(), call); o.Fault == nil || o.Fault.Kind != sandbox.FaultDeadline {
		t.Errorf("got %v", o.Fault)
	}
}

// A recursion without an end is an error of the script's, which it can catch.
func TestScriptRecursionEnds(t *testing.T) {
	o := callScript(t, scriptHost{}, "recurse", `{}`)
	if o.Fault == nil || !strings.Contains(o.Fault.Text, "RangeError: Maximum call stack size exceeded") {
		t.Errorf("got %v, %s", o.Fault, o.Output)
	}
}

// Each call starts as the first did, and still draws other numbers.
func TestScriptCallsShareNothing(t *testing.T) {
	drawn := map[string]bool{}
	for range 20 {
		if text, _ := textOf(t, callScript(t, scriptHost{}, "count", `{}`)); text != "1" {
			t.Fatalf("a call sees %q calls before it", text)
		}
		text, _ := textOf(t, callScript(t, scriptHost{}, "random", `{}`))
		for word := range strings.FieldsSeq(text) {
			if drawn[word] {
				t.Errorf("%s was drawn twice", word)
			}
			drawn[word] = true
		}
	}
	s, err := script()
	if err != nil {
		t.Fatal(err)
	}
	if rung, why := s.code.Rung(); rung != sandbox.RungReset && why == "" {
		t.Errorf("calls run on rung %s: %s", rung, why)
	}
	// Without an image as well, on which a host may have to run.
	engine, err := sandbox.New(t.Context(), sandbox.Config{CacheDir: cacheDir, Best: sandbox.RungPlain})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close(t.Context()) }()
	admitted, err := sandbox.Admit(s.servlet.Module(), capabilities.ABI, s.servlet.Manifest().Capabilities.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	code, err := engine.Compile(t.Context(), admitted)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := textOf(t, code.Run(t.Context(), scriptCall(scriptHost{}, "random", `{}`)))
	if two, _ := textOf(t, code.Run(t.Context(), scriptCall(scriptHost{}, "random", `{}`))); one == two {
		t.Errorf("two calls without an image drew %s", one)
	}
}

func TestScriptTooBigAResult(t *testing.T) {
	if text, _ := textOf(t, callScript(t, scriptHost{}, "big", `{"n":1000000}`)); len(text) != 1_000_000 {
		t.Errorf("got %d bytes", len(text))
	}
	for _, n := range []string{"2000000", "400000000"} {
		if o := callScript(t, scriptHost{}, "big", `{"n":`+n+`}`); o.Fault == nil || o.Output != nil {
			t.Errorf("%s: got %v and %d bytes", n, o.Fault, len(o.Output))
		}
	}
}

func TestScriptLogsAndProgress(t *testing.T) {
	o := callScript(t, scriptHost{}, "log", `{}`)
	var lines []string
	for _, l := range o.Logs {
		lines = append(lines, string('0'+rune(l.Level))+" "+l.Text)
	}
	want := []string{"0 a 1 {b: [2, Map {\"c\" => 3}]}", "1 x is 7", "2 RangeError: far"}
	if len(lines) < 5 || !slices.Equal(lines[:3], want) || lines[len(lines)-1] != "3 null undefined -0 1n" {
		t.Errorf("got %q", lines)
	}
	s, err := script()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	call := scriptCall(scriptHost{}, "progress", `{}`)
	call.Progress = func(done, total float64, text string) {
		raw, _ := json.Marshal([]any{done, total, text})
		told = append(told, string(raw))
	}
	if o := s.code.Run(t.Context(), call); o.Fault != nil || !slices.Equal(told, []string{`[1,2,"half"]`, `[2,2,"done"]`}) {
		t.Errorf("got %v, %v", told, o.Fault)
	}
}

func TestScriptFetches(t *testing.T) {
	host := scriptHost{site: site{fetch: func(_ context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		if req.Path == "/v1/denied" {
			return effect.HTTPResponse{}, &effect.Error{Code: effect.Denied, Text: "the path is not granted"}
		}
		raw, _ := json.Marshal(req)
		return effect.HTTPResponse{Status: 200, Header: []effect.Header{{Name: "Content-Type", Value: "text/x"}}, Body: append(raw, req.Body...)}, nil
	}}}
	rows := []struct{ name, arguments, want string }{
		{"a URL of a site", `{"url":"https://API.example.com:443/v1/a b?x=ä#f"}`, `"Capability":"api","URL":"","Method":"GET","Path":"/v1/a%20b","Query":"x=%C3%A4"`},
		{"a path of a site that the operator chose", `{"url":"/x/../y?z","init":{"capability":"own"}}`, `"Capability":"own","URL":"","Method":"GET","Path":"/y","Query":"z"`},
		{"a body and its type", `{"url":"https://api.example.com/v1/","init":{"method":"post","body":"{}","headers":{"X-A":"1","Cookie":"no"}}}`,
			`"Header":[{"Name":"content-type","Value":"text/plain;charset=UTF-8"},{"Name":"x-a","Value":"1"}]`},
		{"the answer", `{"url":"https://api.example.com/v1/"}`, `200 text/x https://api.example.com/v1/ `},
		{"a refusal", `{"url":"https://api.example.com/v1/denied"}`, `HostError denied fetch https://api.example.com/v1/denied: the path is not granted`},
		{"another site", `{"url":"https://other.example.com/"}`, `HostError denied fetch https://other.example.com: servlet.toml requests no http capability for this site (it has: api, own)`},
		{"a path of no site", `{"url":"/x"}`, `HostError invalid fetch /x: name the site of a path with the option "capability" (api, own)`},
		{"no URL", `{"url":"not a url"}`, `TypeError undefined "not a url" is not a URL`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if text, _ := textOf(t, callScript(t, host, "fetch", row.arguments)); !strings.Contains(text, row.want) {
				t.Errorf("got %s, want %s", text, row.want)
			}
		})
	}
}

// Nobody is answered before all have asked: were the exchanges done one after the other, the call would
// run into its deadline.
func TestScriptFetchesOverlap(t *testing.T) {
	const n = 8
	var all sync.WaitGroup
	all.Add(n)
	host := scriptHost{site: site{fetch: func(_ context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		all.Done()
		all.Wait()
		if req.Path == "/v1/3" {
			return effect.HTTPResponse{}, &effect.Error{Code: effect.Unavailable, Text: "nobody there"}
		}
		return effect.HTTPResponse{Status: 200 + int(req.Body[0]-'0')}, nil
	}}}
	if text, _ := textOf(t, callScript(t, host, "together", `{}`)); text != "200 201 202 unavailable 204 205 206 207" {
		t.Errorf("got %q", text)
	}
}

func TestScriptAborts(t *testing.T) {
	host := scriptHost{site: site{fetch: func(ctx context.Context, _ effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		<-ctx.Done()
		return effect.HTTPResponse{}, &effect.Error{Code: effect.Cancelled, Text: "cancelled"}
	}}}
	if text, _ := textOf(t, callScript(t, host, "abort", `{}`)); text != "AbortError TimeoutError AbortError" {
		t.Errorf("got %q", text)
	}
}

func TestScriptFiles(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := scriptGuard(t, "files", capabilities.Rights{FS: map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: dir, Mode: capabilities.ModeFull}}})
	o := callScript(t, guarded{g}, "files", `{}`)
	want := `"structuredContent":{"text":"one\ntwo","large":300000,"sum":2100000,"list":["a/","large"],"size":7,"recent":true,"missing":false,"there":true,` +
		`"none":"ENOENT","outside":"ENOENT","up":"ENOENT","again":"EEXIST","full":"ENOTEMPTY","relative":"ENOENT","folder":"EISDIR","left":0}`
	if o.Fault != nil || !strings.Contains(string(o.Output), want) {
		t.Errorf("got %s, %v; want %s", o.Output, o.Fault, want)
	}
}

// scriptGuard is a guard for one tool of testdata/script.
func scriptGuard(t *testing.T, tool string, rights capabilities.Rights) *guard.Guard {
	t.Helper()
	s, err := script()
	if err != nil {
		t.Fatal(err)
	}
	m := s.servlet.Manifest()
	rights.Tools = []string{tool}
	policy, err := capabilities.Effective(m, s.servlet.ManifestDigest(), capabilities.Grant{
		Servlet: m.Name, Publisher: s.servlet.KeyID(), Manifest: s.servlet.ManifestDigest(), Rights: rights,
	}, capabilities.Local(capabilities.DefaultSpace), "script", tool, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(guard.Config{Policy: policy, Recorder: &events{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.End() })
	return g
}

// testdata/web checks, in the engine, the names of the web and what this project changed of the language.
func TestScriptsHaveTheWeb(t *testing.T) {
	s, err := web()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, tool := range s.servlet.Tools() {
		o := s.code.Run(t.Context(), scriptCall(scriptHost{}, tool.Name, `{}`))
		var result struct {
			Content           []struct{ Text string }
			StructuredContent struct{ Count int }
		}
		if o.Fault != nil || json.Unmarshal(o.Output, &result) != nil || len(result.Content) != 1 {
			t.Fatalf("%s: %v, %s\nlog: %v", tool.Name, o.Fault, o.Output, o.Logs)
		}
		if text := result.Content[0].Text; text != "" {
			t.Errorf("%s:\n%s", tool.Name, text)
		}
		total += result.StructuredContent.Count
	}
	if total < 460 {
		t.Errorf("only %d checks ran", total)
	}
}
