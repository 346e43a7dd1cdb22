// Package conformance holds what Writ answers for a plug-in of Extism against what Extism's own host for
// Go answers for the same bytes.
package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	extism "github.com/extism/go-sdk"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
)

// settings are what both hosts give to the plug-in.
var settings = map[string]string{"UNITS": "metric", "EMPTY": ""}

// timeoutMS is set because nothing else would end a call.
const timeoutMS = 10_000

// build makes the plug-in with its own kit.
func build(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plugin.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "../plugin")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the plug-in: %v\n%s", err, text)
	}
	module, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// answer is what a host made of a call.
type answer struct {
	output  string
	failure string // the plug-in's own words; empty: it did not fail
	crashed bool
}

// request is the input of both.
func request(tool string, arguments any) []byte {
	raw, err := json.Marshal(map[string]any{"method": "tools/call", "params": map[string]any{"name": tool, "arguments": arguments}})
	if err != nil {
		panic(err)
	}
	return raw
}

// reference is Extism's own host.
type reference struct{ plugin *extism.CompiledPlugin }

func newReference(t *testing.T, module []byte) reference {
	t.Helper()
	manifest := extism.Manifest{
		Wasm: []extism.Wasm{extism.WasmData{Data: module}}, Timeout: timeoutMS,
		Config: settings, AllowedHosts: []string{"example.com"},
	}
	p, err := extism.NewCompiledPlugin(t.Context(), manifest, extism.PluginConfig{EnableWasi: true, EnableHttpResponseHeaders: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return reference{p}
}

func (h reference) call(t *testing.T, export string, input []byte) (a answer) {
	t.Helper()
	p, err := h.plugin.Instance(t.Context(), extism.PluginInstanceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.Background())
	p.SetLogger(func(extism.LogLevel, string) {})
	code, out, err := p.Call(export, input)
	failure := p.GetError()
	switch {
	case failure != "":
		return answer{failure: failure}
	case err != nil || code != 0:
		return answer{crashed: true}
	}
	return answer{output: string(out)}
}

// writ is this project's host.
type writ struct {
	code *sandbox.Code
	open func() (*guard.Guard, error)
}

func newWrit(t *testing.T, module []byte, network guard.Network, origin string) writ {
	t.Helper()
	engine, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close(context.Background()) })
	admitted, err := sandbox.Admit(module, capabilities.ABIExtism, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, err := engine.Compile(t.Context(), admitted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { code.Close(context.Background()) })
	policy := capabilities.Policy{
		Rights: capabilities.Rights{
			Config: []string{"UNITS", "EMPTY"},
			HTTP:   map[string]capabilities.HTTPRight{"api": {Origin: origin, Methods: []string{"GET", "HEAD", "POST"}, Paths: []string{"/v1/"}}},
		},
		Values: settings, Limits: capabilities.Limits{HTTPCalls: 20},
	}
	return writ{code, func() (*guard.Guard, error) {
		return guard.New(guard.Config{Policy: policy, Recorder: unrecorded{}, Network: network})
	}}
}

// unrecorded takes records that nobody reads.
type unrecorded struct{}

func (unrecorded) Record(context.Context, guard.Event) error { return nil }

func (h writ) call(t *testing.T, entry sandbox.Entry, input []byte) (answer, sandbox.Outcome) {
	t.Helper()
	g, err := h.open()
	if err != nil {
		t.Fatal(err)
	}
	defer g.End()
	out := h.code.Run(t.Context(), sandbox.Call{Entry: entry, Input: input, Host: g, Limits: sandbox.Limits{
		Memory: 64 << 20, Wall: time.Minute, Output: 4 << 20, Log: 64 << 10, HostCalls: 100_000,
	}})
	switch f := out.Fault; {
	case f == nil:
		return answer{output: string(out.Output)}, out
	case f.Kind == sandbox.FaultTool:
		return answer{failure: f.Text}, out
	default:
		t.Logf("fault: %v", f)
		return answer{crashed: true}, out
	}
}

// upstream is a server that goes by the name example.com, to both hosts.
func upstream(t *testing.T) (origin string, network guard.Network) {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Link", "<a>")
		w.Header().Add("Link", "<b>")
		if r.URL.Path == "/v1/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		if r.URL.Path != "/v1/empty" {
			fmt.Fprintf(w, "%s %s %q %s", r.Method, r.URL.RequestURI(), body, r.Header.Get("X-Asked"))
		}
	}))
	t.Cleanup(srv.Close)
	at := netip.MustParseAddrPort(srv.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	before := http.DefaultTransport
	http.DefaultTransport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at.String())
		},
	}
	t.Cleanup(func() { http.DefaultTransport = before })
	return fmt.Sprintf("https://example.com:%d", at.Port()), guard.Network{
		Roots: roots, Loopback: []netip.AddrPort{at},
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			if host != "example.com" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{at.Addr()}, nil
		},
	}
}

// A plug-in that knows nothing of Writ is answered as by its own host, byte for byte. The two that are
// refused in both differ in what is said of it: the other host says nothing.
func TestAnswersAreTheReferences(t *testing.T) {
	module := build(t)
	origin, network := upstream(t)
	theirs, ours := newReference(t, module), newWrit(t, module, network, origin)
	type in map[string]any
	long := make([]byte, 70_000)
	for i := range long {
		long[i] = 'a' + byte(i%26)
	}
	cases := []struct {
		name, tool string
		arguments  in
		differs    bool // in what refuses the request, and how it is said
	}{
		{name: "a text", tool: "echo", arguments: in{"text": "hello <world> & ü 漢"}},
		{name: "no text", tool: "echo", arguments: in{}},
		{name: "a text of 70 kB", tool: "echo", arguments: in{"text": string(long)}},
		{name: "a text of 70,001 bytes", tool: "echo", arguments: in{"text": string(long) + "!"}},
		{name: "a setting", tool: "setting", arguments: in{"key": "UNITS"}},
		{name: "an empty setting", tool: "setting", arguments: in{"key": "EMPTY"}},
		{name: "no such setting", tool: "setting", arguments: in{"key": "HOME"}},
		{name: "a setting without a name", tool: "setting", arguments: in{"key": ""}},
		{name: "variables", tool: "variables", arguments: in{"key": "k", "text": "v"}},
		{name: "variables again, of which nothing was kept", tool: "variables", arguments: in{"key": "k", "text": "other"}},
		{name: "an empty variable", tool: "variables", arguments: in{"key": "k", "text": ""}},
		{name: "a variable that is too large", tool: "variables", arguments: in{"key": "k", "text": string(make([]byte, 1<<20))}},
		{name: "one block", tool: "blocks", arguments: in{"count": 1}},
		{name: "two thousand blocks", tool: "blocks", arguments: in{"count": 2000}},
		{name: "logs", tool: "chatter", arguments: in{"text": "line"}},
		{name: "an empty log line", tool: "chatter", arguments: in{"text": ""}},
		{name: "a failure", tool: "fail", arguments: in{"text": "it is Tuesday"}},
		{name: "an unknown tool", tool: "nosuch", arguments: in{}},
		{name: "a crash", tool: "crash", arguments: in{}},
		{name: "a page", tool: "fetch", arguments: in{"url": origin + "/v1/a?q=1"}},
		{name: "a page with a header", tool: "fetch", arguments: in{"url": origin + "/v1/a", "headers": in{"X-Asked": "yes"}}},
		{name: "a page that is missing", tool: "fetch", arguments: in{"url": origin + "/v1/missing"}},
		{name: "an empty page", tool: "fetch", arguments: in{"url": origin + "/v1/empty"}},
		{name: "a head", tool: "fetch", arguments: in{"url": origin + "/v1/a", "method": "HEAD"}},
		{name: "a post", tool: "fetch", arguments: in{"url": origin + "/v1/a", "method": "POST", "text": "body"}},
		{name: "a host that is not granted", tool: "fetch", arguments: in{"url": "https://example.org/v1/a"}, differs: true},
		{name: "no URL", tool: "fetch", arguments: in{"url": "https://"}, differs: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			input := request(c.tool, c.arguments)
			want := theirs.call(t, "call", input)
			got, out := ours.call(t, sandbox.EntryCall, input)
			if c.differs { // theirs crashes without a word; ours says why
				if !want.crashed || got.failure == "" {
					t.Errorf("writ %+v, reference %+v", got, want)
				}
				return
			}
			if got != want {
				t.Errorf("writ      %+v\nreference %+v", got, want)
			}
			if !want.crashed && out.Rung == sandbox.RungPlain {
				t.Errorf("the call was on rung %s", out.Rung)
			}
		})
	}
	want := theirs.call(t, "describe", nil)
	if got, _ := ours.call(t, sandbox.EntryDescribe, nil); got != want || want.output == "" {
		t.Errorf("describe: writ %+v, reference %+v", got, want)
	}
	if rung, why := ours.code.Rung(); rung == sandbox.RungPlain {
		t.Errorf("rung %s: %s", rung, why)
	}
}
