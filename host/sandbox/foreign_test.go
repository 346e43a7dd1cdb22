package sandbox_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// env imports functions of namespace extism:host/env and returns how to call them.
type env struct{ m *w.Module }

func (e env) fn(name string) uint32 {
	for _, f := range sandbox.Offered() {
		if f.Name == name {
			return e.m.Import(f.Module, f.Name, f.Params, sandbox.Returns(f))
		}
	}
	panic("no function " + name)
}

// foreignModule is a plug-in whose call is what define returns, with four i64 locals. Imports come first.
func foreignModule(define func(e env) [][]byte) []byte {
	m := &w.Module{}
	body := define(env{m})
	m.Memory(w.AtLeast(1))
	m.FuncLocals("call", "", "i", []byte{1, 4, 0x7e}, body...)
	return m.Bytes()
}

func admitForeign(tb testing.TB, module []byte) sandbox.Admitted {
	tb.Helper()
	a, err := sandbox.Admit(module, capabilities.ABIExtism, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func compileForeign(tb testing.TB, module []byte) *sandbox.Code {
	tb.Helper()
	code, err := engine.Compile(tb.Context(), admitForeign(tb, module))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { code.Close(context.Background()) })
	return code
}

// callForeign is a call with limits that are small and enough.
func callForeign(input string) sandbox.Call {
	l := enough()
	l.Memory, l.HostCalls, l.Output = 1<<20, 1000, 64<<10
	return sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(input), Limits: l}
}

// echo answers its input.
func echo(e env) [][]byte {
	at, n, out := e.fn("input_offset"), e.fn("input_length"), e.fn("output_set")
	return [][]byte{w.Call(at), w.Call(n), w.Call(out), w.I32(0)}
}

func TestForeignAnswers(t *testing.T) {
	code := compileForeign(t, foreignModule(echo))
	for _, input := range []string{"x", strings.Repeat("0123456789", 5000)} {
		out := code.Run(t.Context(), callForeign(input))
		if out.Fault != nil || string(out.Output) != input || out.Rung != sandbox.RungReset && out.Rung != sandbox.RungInstance {
			t.Errorf("fault %v, %d bytes, rung %s", out.Fault, len(out.Output), out.Rung)
		}
	}
}

func TestForeignAdmit(t *testing.T) {
	bare := func(define func(m *w.Module)) []byte {
		m := &w.Module{}
		define(m)
		return m.Bytes()
	}
	answer := func(m *w.Module, name, params, results string) {
		body := [][]byte{}
		if results == "i" {
			body = append(body, w.I32(0))
		}
		m.Func(name, params, results, body...)
	}
	with := func(module, name, params, results string) []byte {
		return bare(func(m *w.Module) {
			m.Import(module, name, params, results)
			m.Memory(w.AtLeast(1))
			answer(m, "call", "", "i")
		})
	}
	const shape = `admitting module: export "call" is not a function without parameters that returns an i32 or nothing`
	cases := []struct {
		name   string
		module []byte
		want   string // empty: admitted
	}{
		{"call alone", with("extism:host/env", "alloc", "I", "I"), ""},
		{"a call that returns nothing", bare(func(m *w.Module) { m.Memory(w.AtLeast(1)); answer(m, "call", "", "") }), ""},
		{"the newer call", bare(func(m *w.Module) { m.Memory(w.AtLeast(1)); answer(m, "call_tool", "", "i") }), ""},
		{"constructors and Haskell's runtime", bare(func(m *w.Module) {
			m.Memory(w.AtLeast(1))
			answer(m, "call", "", "i")
			m.Func("__wasm_call_ctors", "", "")
			m.Func("hs_init", "ii", "")
		}), ""},
		{"no call", bare(func(m *w.Module) { m.Memory(w.AtLeast(1)); answer(m, "work", "", "i") }),
			`admitting module: it exports neither "call" nor "call_tool", by one of which a plug-in with tools is called`},
		{"a call that takes values", bare(func(m *w.Module) { m.Memory(w.AtLeast(1)); answer(m, "call", "i", "i") }), shape},
		{"a call that is a memory", bare(func(m *w.Module) { m.Memory(w.AtLeast(1)); m.Export("call", 2, 0) }), shape},
		{"a describe that takes values", bare(func(m *w.Module) {
			m.Memory(w.AtLeast(1))
			answer(m, "call", "", "i")
			answer(m, "describe", "i", "i")
		}), strings.Replace(shape, `"call"`, `"describe"`, 1)},
		{"functions of this host's own interface", with("writ1", "log", "iii", "i"), "gating module: imports that are not allowed: writ1.log (unknown)"},
		{"functions of the embedder", with("extism:host/user", "config_get", "I", "I"), `gating module: imports that are not allowed: "extism:host/user".config_get (unknown)`},
		{"another signature", with("extism:host/env", "alloc", "i", "I"), `gating module: imports that are not allowed: "extism:host/env".alloc (has the signature (i32) -> i64, want (i64) -> i64)`},
		{"a socket, of which there are none", with("wasi_snapshot_preview1", "sock_accept", "iii", "i"), ""},
		{"a socket of another system", with("wasi_snapshot_preview1", "sock_open", "iii", "i"), "gating module: imports that are not allowed: wasi_snapshot_preview1.sock_open (unknown)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := sandbox.Admit(c.module, capabilities.ABIExtism, nil)
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("error %v\n want %s", err, c.want)
			}
		})
	}
	// The functions of plug-ins are no functions of servlets.
	servlet := guest(func(m *w.Module) [][]byte { env{m}.fn("alloc"); return [][]byte{w.I32(0)} })
	if _, err := sandbox.Admit(servlet, capabilities.ABI, everyKind); err == nil || !strings.Contains(err.Error(), `"extism:host/env".alloc (unknown)`) {
		t.Errorf("a servlet: %v", err)
	}
}

// sdk/EXTISM.md lists every function of namespace extism:host/env with its signature, and no other.
func TestExtismPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../sdk/EXTISM.md")
	if err != nil {
		t.Fatal(err)
	}
	letters := map[string]string{"i32": "i", "i64": "I", "": ""}
	written := map[string]string{}
	for _, m := range regexp.MustCompile("`([a-z0-9_]+)\\(([^)`]*)\\)(?: -> (i32|i64))?`").FindAllStringSubmatch(string(page), -1) {
		sig := ""
		for param := range strings.SplitSeq(m[2], ", ") {
			_, kind, _ := strings.Cut(param, " ")
			sig += letters[kind]
		}
		written[m[1]] = sig + ":" + letters[m[3]]
	}
	built := map[string]string{}
	for _, f := range sandbox.Offered() {
		built[f.Name] = f.Params + ":" + sandbox.Returns(f)
	}
	if !maps.Equal(written, built) {
		t.Errorf("the page has %v,\nthe sandbox %v", written, built)
	}
}

// A plug-in cannot help what its kit links: what nobody requested is shown as importable, and denied.
func TestForeignKinds(t *testing.T) {
	a := admitForeign(t, foreignModule(func(e env) [][]byte {
		e.fn("http_request")
		e.fn("config_get")
		e.fn("var_set")
		return [][]byte{w.I32(0)}
	}))
	if got := a.Kinds(); len(got) != 3 || got[0] != capabilities.KindConfig || got[1] != capabilities.KindHTTP || got[2] != capabilities.KindWeb {
		t.Errorf("kinds %v", got)
	}
	if a.ABI() != capabilities.ABIExtism {
		t.Errorf("ABI %s", a.ABI())
	}
}

// Nothing of a call is in the host's memory for the next one, on any rung.
func TestForeignCallsAreFresh(t *testing.T) {
	const block, other, name = 0, 1, 2
	module := foreignModule(func(e env) [][]byte {
		alloc, load, store, out := e.fn("alloc"), e.fn("load_u64"), e.fn("store_u64"), e.fn("output_set")
		get, set := e.fn("var_get"), e.fn("var_set")
		return [][]byte{
			w.I64(64), w.Call(alloc), w.Set(block), w.I64(24), w.Call(alloc), w.Set(other),
			// what a block has that nobody wrote to, and what a variable has that nobody set
			w.Get(other), w.Get(block), w.Call(load), w.Call(store),
			w.Get(block), w.I64(-1), w.Call(store),
			w.I64(8), w.Call(alloc), w.Set(name), w.Get(name), w.I64('v'), w.Call(store),
			w.Get(other), w.I64(8), w.Op(0x7c), w.Get(name), w.Call(get), w.Call(store),
			w.I64(8), w.Call(alloc), w.Set(name), w.Get(name), w.I64('v'), w.Call(store),
			w.Get(name), w.Get(block), w.Call(set),
			w.Get(other), w.I64(16), w.Op(0x7c), w.I64(8), w.Call(alloc), w.Set(name), w.Get(name), w.I64('v'), w.Call(store), w.Get(name), w.Call(get), w.Call(store),
			w.Get(other), w.I64(24), w.Call(out), w.I32(0),
		}
	})
	for _, best := range []sandbox.Rung{sandbox.RungReset, sandbox.RungInstance, sandbox.RungPlain} {
		code := compileForeignWith(t, newEngine(t, sandbox.Config{Best: best}), module)
		var first []byte
		for i := range 20 {
			out := code.Run(t.Context(), callForeign("input"))
			if out.Fault != nil || out.Rung != best {
				t.Fatalf("rung %s, want %s: %v", out.Rung, best, out.Fault)
			}
			if first == nil {
				first = out.Output
			}
			if !bytes.Equal(out.Output, first) || !bytes.Equal(out.Output[:16], make([]byte, 16)) || bytes.Equal(out.Output[16:], make([]byte, 8)) {
				t.Fatalf("call %d on rung %s: % x, first % x", i, best, out.Output, first)
			}
		}
	}
}

func compileForeignWith(tb testing.TB, e *sandbox.Engine, module []byte) *sandbox.Code {
	tb.Helper()
	code, err := e.Compile(tb.Context(), admitForeign(tb, module))
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// What init keeps of the host's memory is in no image, so that such a plug-in is initialised for each
// call; there it finds what it kept. On no rung does init see the input or a variable.
func TestForeignInitThatKeepsBlocks(t *testing.T) {
	m := &w.Module{}
	e := env{m}
	alloc, store, out, length := e.fn("alloc"), e.fn("store_u64"), e.fn("output_set"), e.fn("input_length")
	m.Memory(w.AtLeast(1))
	kept := m.Global(0)
	m.Func("_initialize", "", "", w.I64(8), w.Call(alloc), w.Op(0x24, w.U32(kept)),
		w.Op(0x23, w.U32(kept)), w.I64(0x6c6c6548), w.Call(length), w.Op(0x7c), w.Call(store))
	m.Func("call", "", "i", w.Op(0x23, w.U32(kept)), w.I64(4), w.Call(out), w.I32(0))
	code := compileForeign(t, m.Bytes())
	for range 3 {
		if res := code.Run(t.Context(), callForeign("input")); res.Fault != nil || string(res.Output) != "Hell" || res.Rung != sandbox.RungPlain {
			t.Errorf("fault %v, output %q, rung %s", res.Fault, res.Output, res.Rung)
		}
	}
	want := "init or warm-up failed: its initialisation keeps blocks or variables of the host, which an image does not hold"
	if _, why := code.Rung(); why != want {
		t.Errorf("reason %q, want %q", why, want)
	}
}

// The initialisers run before the entry, each once: _initialize or else the constructors, then Haskell's.
// A command's _start does not: it would run main, and exit.
func TestForeignInitialisers(t *testing.T) {
	for _, c := range []struct {
		exports []string
		want    string // the first letter of each that ran, underlines and "w" aside
	}{
		{[]string{"_initialize"}, "i"},
		{[]string{"__wasm_call_ctors"}, "a"},
		{[]string{"hs_init", "_initialize"}, "ih"},
		{[]string{"__wasm_call_ctors", "hs_init"}, "ah"},
		{[]string{"hs_init", "__wasm_call_ctors", "_initialize", "_start"}, "ih"},
		{[]string{"_start"}, ""},
	} {
		m := &w.Module{}
		e := env{m}
		alloc, store, out := e.fn("alloc"), e.fn("store_u64"), e.fn("output_set")
		m.Memory(w.AtLeast(1))
		ran, place := m.Global(0), m.Global(1) // letters, the first one lowest, and what the next is multiplied by
		get, set := func(g uint32) []byte { return w.Op(0x23, w.U32(g)) }, func(g uint32) []byte { return w.Op(0x24, w.U32(g)) }
		for _, name := range c.exports {
			params := ""
			if name == "hs_init" {
				params = "ii"
			}
			letter := int64(strings.TrimLeft(name, "_w")[0])
			m.Func(name, params, "", get(ran), get(place), w.I64(letter), w.Op(0x7e), w.Op(0x7c), set(ran),
				get(place), w.I64(256), w.Op(0x7e), set(place))
		}
		m.FuncLocals("call", "", "i", []byte{1, 1, 0x7e}, w.I64(8), w.Call(alloc), w.Set(0),
			w.Get(0), get(ran), w.Call(store), w.Get(0), w.I64(8), w.Call(out), w.I32(0))
		res := compileForeign(t, m.Bytes()).Run(t.Context(), callForeign(""))
		if got := strings.TrimRight(string(res.Output), "\x00"); res.Fault != nil || got != c.want {
			t.Errorf("%v: ran %q, want %q (%v)", c.exports, got, c.want, res.Fault)
		}
	}
}

// What interpreters link of WASI and nobody has here is there, and answers so.
func TestForeignSocketsAreAbsent(t *testing.T) {
	for name, params := range map[string]string{"sock_accept": "iii", "sock_recv": "iiiiii", "sock_send": "iiiii", "sock_shutdown": "ii", "fd_renumber": "ii", "proc_raise": "i"} {
		code := compileForeign(t, foreignModule(func(e env) [][]byte {
			f := e.m.Import("wasi_snapshot_preview1", name, params, "i")
			body := [][]byte{}
			for range params {
				body = append(body, w.I32(-1))
			}
			return append(body, w.Call(f)) // its answer is the plug-in's code
		}))
		wantFault(t, code.Run(t.Context(), callForeign("x")), sandbox.FaultTool, "the plug-in failed with code 52, without a reason")
	}
}

func TestForeignEnds(t *testing.T) {
	returns := func(code int32) func(env) [][]byte { return func(env) [][]byte { return [][]byte{w.I32(code)} } }
	text := func(e env, s string) []byte { // a block with up to eight letters, in local 0
		alloc, store := e.fn("alloc"), e.fn("store_u64")
		v := int64(0)
		for i := len(s) - 1; i >= 0; i-- {
			v = v<<8 | int64(s[i])
		}
		return w.Code(w.I64(int64(len(s))), w.Call(alloc), w.Set(0), w.Get(0), w.I64(v), w.Call(store))
	}
	cases := []struct {
		name string
		code func(e env) [][]byte
		kind sandbox.FaultKind
		want string
	}{
		{"nothing", returns(0), sandbox.FaultABI, "call returned without an output"},
		{"a code", returns(7), sandbox.FaultTool, "the plug-in failed with code 7, without a reason"},
		{"a negative code", returns(-1), sandbox.FaultTool, "the plug-in failed with code -1, without a reason"},
		{"a reason", func(e env) [][]byte {
			block := text(e, "because")
			fail := e.fn("error_set")
			return [][]byte{block, w.Get(0), w.Call(fail), w.I32(1)}
		}, sandbox.FaultTool, "because"},
		{"a reason beside an answer", func(e env) [][]byte {
			block := text(e, "because")
			fail, out := e.fn("error_set"), e.fn("output_set")
			return [][]byte{block, w.Get(0), w.Call(fail), w.Get(0), w.I64(3), w.Call(out), w.I32(0)}
		}, sandbox.FaultTool, "because"},
		{"a crash", func(env) [][]byte { return [][]byte{w.Unreachable()} }, sandbox.FaultTrap, "the servlet crashed (unreachable)"},
		{"an exit", func(e env) [][]byte {
			exit := e.m.Import("wasi_snapshot_preview1", "proc_exit", "i", "")
			return [][]byte{w.I32(0), w.Call(exit), w.I32(0)}
		}, sandbox.FaultExit, "the servlet exited with code 0 before it answered"},
		{"an answer above its limit", func(e env) [][]byte {
			alloc, out := e.fn("alloc"), e.fn("output_set")
			return [][]byte{w.I64(64<<10 + 1), w.Call(alloc), w.I64(64<<10 + 1), w.Call(out), w.I32(0)}
		}, sandbox.FaultLimit, "the result is larger than the 64 KiB that are granted"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := compileForeign(t, foreignModule(c.code)).Run(t.Context(), callForeign("x"))
			wantFault(t, out, c.kind, c.want)
		})
	}
}

// A call of hyper-mcp's second version is asked in its own form.
func TestForeignNewerCall(t *testing.T) {
	m := &w.Module{}
	body := echo(env{m})
	m.Memory(w.AtLeast(1))
	m.Func("call_tool", "", "i", body...)
	m.Func("list_tools", "", "", body[:3]...)
	code := compileForeign(t, m.Bytes())
	out := code.Run(t.Context(), callForeign(`{"method":"tools/call","params":{"name":"x","arguments":{}}}`))
	if want := `{"request":{"name":"x","arguments":{}},"context":{"id":"call","_meta":{}}}`; string(out.Output) != want {
		t.Errorf("output %q (%v), want %s", out.Output, out.Fault, want)
	}
	call := callForeign("")
	call.Entry = sandbox.EntryDescribe
	out = code.Run(t.Context(), call)
	if want := `{"context":{"id":"list","_meta":{}}}`; string(out.Output) != want {
		t.Errorf("output %q (%v), want %s", out.Output, out.Fault, want)
	}
	wantFault(t, code.Run(t.Context(), callForeign("no JSON")), sandbox.FaultABI, "the request cannot be written in the plug-in's form")
	undescribed := compileForeign(t, foreignModule(echo))
	wantFault(t, undescribed.Run(t.Context(), call), sandbox.FaultABI, "the module exports no servlet_describe")
}

// asked is a Host that answers one setting and every request.
type asked struct {
	sandbox.Host
	key  string
	req  effect.HTTPRequest
	wait bool
	fail *effect.Error
}

func (h *asked) Preopens() []effect.Preopen { return nil }

func (h *asked) Config(_ context.Context, key string) (string, *effect.Error) {
	h.key = key
	return "metric", nil
}

func (h *asked) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	h.req = req
	if h.wait {
		<-ctx.Done()
	}
	return effect.HTTPResponse{Status: 201, Header: []effect.Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}, Body: []byte("page")}, h.fail
}

// inputTo hands the input to a service and answers with the block that it returns.
func inputTo(name string, more ...[]byte) func(e env) [][]byte {
	return func(e env) [][]byte {
		at, service, length, out := e.fn("input_offset"), e.fn(name), e.fn("length"), e.fn("output_set")
		return [][]byte{w.Call(at), w.Code(more...), w.Call(service), w.Set(0), w.Get(0), w.Get(0), w.Call(length), w.Call(out), w.I32(0)}
	}
}

func TestForeignServices(t *testing.T) {
	host := &asked{}
	call := callForeign("units-of.measure")
	call.Host = host
	out := compileForeign(t, foreignModule(inputTo("config_get"))).Run(t.Context(), call)
	if string(out.Output) != "metric" || host.key != "UNITS_OF_MEASURE" {
		t.Errorf("setting %q: %q %v", host.key, out.Output, out.Fault)
	}

	call = callForeign(`{"url":"https://a.test/x","method":"post","headers":{"A":1}}`)
	call.Host = host
	request := compileForeign(t, foreignModule(inputTo("http_request", w.I64(0))))
	out = request.Run(t.Context(), call)
	if r := host.req; string(out.Output) != "page" || r.URL != "https://a.test/x" || r.Method != "POST" || len(r.Header) != 1 || r.Capability != "" || r.Path != "" {
		t.Errorf("request %+v: %q %v", r, out.Output, out.Fault)
	}
	head := compileForeign(t, foreignModule(func(e env) [][]byte {
		at, ask, status, headers := e.fn("input_offset"), e.fn("http_request"), e.fn("http_status_code"), e.fn("http_headers")
		length, out := e.fn("length"), e.fn("output_set")
		return [][]byte{w.Call(headers), w.Op(0xa7), w.Call(status), w.Add(), w.If(w.Unreachable()), // before the first
			w.Call(at), w.I64(0), w.Call(ask), w.Drop(), w.Call(headers), w.Set(0),
			w.Call(status), w.I32(201), w.Op(0x47), w.If(w.Unreachable()),
			w.Get(0), w.Get(0), w.Call(length), w.Call(out), w.I32(0)}
	}))
	if out = head.Run(t.Context(), call); string(out.Output) != `{"x-a":"1,2"}` {
		t.Errorf("headers %q %v", out.Output, out.Fault)
	}

	host.fail = &effect.Error{Code: effect.Denied, Text: "the path is not granted"}
	wantFault(t, request.Run(t.Context(), call), sandbox.FaultTool, "an HTTP request of the plug-in was refused: the path is not granted")
	host.fail = nil
	none := callForeign(string(call.Input))
	wantFault(t, request.Run(t.Context(), none), sandbox.FaultTool, "an HTTP request of the plug-in was refused: no capability is granted to this call")
	call.Input = []byte(`{"method":"GET"}`)
	wantFault(t, request.Run(t.Context(), call), sandbox.FaultTool,
		"an HTTP request of the plug-in was refused: the request is malformed: want an object with url, method and headers")
	call.Input = bytes.Repeat([]byte(" "), 64<<10+1)
	wantFault(t, request.Run(t.Context(), call), sandbox.FaultTool, "an HTTP request of the plug-in was refused: it is too large")
	call.Input, host.wait = []byte(`{"url":"https://a.test/x"}`), true
	call.Limits.Wall = 50 * time.Millisecond
	wantFault(t, request.Run(t.Context(), call), sandbox.FaultDeadline, "the servlet did not answer within 50ms")
}

func TestForeignLogs(t *testing.T) {
	code := compileForeign(t, foreignModule(func(e env) [][]byte {
		at, copied := e.fn("input_offset"), e.fn("input_length")
		trace, debug, info, warn, fault, out := e.fn("log_trace"), e.fn("log_debug"), e.fn("log_info"), e.fn("log_warn"), e.fn("log_error"), e.fn("output_set")
		alloc, store, level := e.fn("alloc"), e.fn("store_u64"), e.fn("get_log_level")
		var body [][]byte
		for i, log := range []uint32{trace, debug, info, warn, fault} {
			body = append(body, w.I64(2), w.Call(alloc), w.Set(0), w.Get(0), w.I64(int64('a'+i)|'\n'<<8), w.Call(store), w.Get(0), w.Call(log))
		}
		return append(body, w.I64(0), w.Call(info), w.Call(level), w.I32(1), w.Op(0x47), w.If(w.Unreachable()),
			w.Call(at), w.Call(copied), w.Call(out), w.I32(0))
	}))
	out := code.Run(t.Context(), callForeign("x"))
	want := []effect.LogLine{{Level: effect.Debug, Text: "b"}, {Level: effect.Info, Text: "c"}, {Level: effect.Warn, Text: "d"}, {Level: effect.Fault, Text: "e"}}
	if out.Fault != nil || len(out.Logs) != len(want) {
		t.Fatalf("logs %v, fault %v", out.Logs, out.Fault)
	}
	for i, line := range out.Logs {
		if line != want[i] {
			t.Errorf("line %+v, want %+v", line, want[i])
		}
	}
}
