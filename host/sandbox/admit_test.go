package sandbox_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/guests"
)

// guest is a module with a page of memory whose servlet_call is what define returns. Imports are
// made in define, before its code.
func guest(define func(m *w.Module) [][]byte) []byte {
	m := &w.Module{}
	body := define(m)
	m.Memory(w.AtLeast(1))
	m.Func("servlet_call", "", "i", body...)
	return m.Bytes()
}

// importing is a guest that imports the named functions and does nothing.
func importing(names ...string) []byte {
	return guest(func(m *w.Module) [][]byte {
		for _, f := range sandbox.Functions() {
			if slices.Contains(names, f.Name) {
				m.Import(f.Module, f.Name, f.Params, result(f))
			}
		}
		return [][]byte{w.I32(0)}
	})
}

func result(f sandbox.Function) string {
	if f.Result {
		return "i"
	}
	return ""
}

func TestAdmitKinds(t *testing.T) {
	none := []capabilities.Kind{}
	cases := []struct {
		name      string
		module    []byte
		requested []capabilities.Kind
		kinds     []capabilities.Kind
		refused   string
	}{
		{name: "no capability", module: importing("input_read", "output_write", "log"), kinds: none},
		{name: "http requested", module: importing("http_start", "op_wait"), requested: []capabilities.Kind{capabilities.KindHTTP}, kinds: []capabilities.Kind{capabilities.KindHTTP}},
		{name: "requested but not imported", module: importing("log"), requested: everyKind, kinds: none},
		{name: "http not requested", module: importing("http_start"), requested: []capabilities.Kind{capabilities.KindConfig},
			refused: "module imports writ1.http_start but servlet.toml requests no http capability"},
		{name: "config not requested", module: importing("config_get"), refused: "module imports writ1.config_get but servlet.toml requests no config capability"},
		{name: "two not requested", module: importing("kv_start", "web_start"),
			refused: "module imports writ1.kv_start but servlet.toml requests no kv capability; module imports writ1.web_start but servlet.toml requests no web capability"},
		{name: "elicit, which the schema has no capability for", module: importing("elicit_start"), requested: []capabilities.Kind{capabilities.KindHTTP, capabilities.KindWeb, capabilities.KindFS, capabilities.KindConfig, capabilities.KindSecret, capabilities.KindKV},
			refused: "module imports writ1.elicit_start but servlet.toml requests no elicit capability"},
		{name: "files, which reach nothing without a directory", module: importing("path_open", "fd_read"), kinds: []capabilities.Kind{capabilities.KindFS}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, err := sandbox.Admit(c.module, capabilities.ABI, c.requested)
			if c.refused != "" {
				if err == nil || err.Error() != c.refused {
					t.Fatalf("error %v, want %s", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a.Kinds(), c.kinds) {
				t.Errorf("kinds %v, want %v", a.Kinds(), c.kinds)
			}
		})
	}
}

func TestAdmitRefuses(t *testing.T) {
	foreign := func(module, name, params, results string) []byte {
		return guest(func(m *w.Module) [][]byte { m.Import(module, name, params, results); return [][]byte{w.I32(0)} })
	}
	cases := []struct {
		name, want string
		module     []byte
		abi        string
	}{
		{"another interface", `admitting module: its guest interface "writ2" is not known; this Writ runs "writ1" and "extism1"`, importing(), "writ2"},
		{"no interface", `admitting module: its guest interface "" is not known; this Writ runs "writ1" and "extism1"`, importing(), ""},
		{"a socket", "gating module: imports that are not allowed: wasi_snapshot_preview1.sock_accept (unknown)", foreign("wasi_snapshot_preview1", "sock_accept", "iii", "i"), "writ1"},
		{"a signal", "gating module: imports that are not allowed: wasi_snapshot_preview1.proc_raise (unknown)", foreign("wasi_snapshot_preview1", "proc_raise", "i", "i"), "writ1"},
		{"a descriptor moved onto another", "gating module: imports that are not allowed: wasi_snapshot_preview1.fd_renumber (unknown)", foreign("wasi_snapshot_preview1", "fd_renumber", "ii", "i"), "writ1"},
		{"another namespace", "gating module: imports that are not allowed: env.log (unknown)", foreign("env", "log", "iii", "i"), "writ1"},
		{"another signature", "gating module: imports that are not allowed: writ1.log (has the signature (i32 i32) -> (), want (i32 i32 i32) -> i32)", foreign("writ1", "log", "ii", ""), "writ1"},
		{"no entry", `gating module: export "servlet_call" () -> i32 is missing`, func() []byte { m := &w.Module{}; m.Memory(w.AtLeast(1)); return m.Bytes() }(), "writ1"},
		{"a describe that takes values", `gating module: export "servlet_describe" has the signature (i32) -> i32, want () -> i32`,
			guest(func(m *w.Module) [][]byte { m.Func("servlet_describe", "i", "i", w.I32(0)); return [][]byte{w.I32(0)} }), "writ1"},
		{"two gigabytes of memory", "gating module: memory: found a minimum of 32768 pages of 64 KiB, limit 16384",
			func() []byte {
				m := &w.Module{}
				m.Memory(w.AtLeast(1 << 15))
				m.Func("servlet_call", "", "i", w.I32(0))
				return m.Bytes()
			}(), "writ1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := sandbox.Admit(c.module, c.abi, everyKind); err == nil || err.Error() != c.want {
				t.Errorf("error %v\n want %s", err, c.want)
			}
		})
	}
}

// What a Go program imports is what it does: the plain guest can provably do nothing but answer.
func TestAdmitGoGuest(t *testing.T) {
	a, err := sandbox.Admit(guests.Build(t, "plain"), capabilities.ABI, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range a.Imports() {
		if strings.HasPrefix(name, "writ1.") && !slices.Contains([]string{"writ1.input_len", "writ1.input_read", "writ1.output_write", "writ1.error_write"}, name) {
			t.Errorf("imports %s", name)
		}
	}
	if len(a.Imports()) == 0 || !slices.IsSorted(a.Imports()) {
		t.Errorf("imports %v", a.Imports())
	}
}

// Admit and Compile run no guest code: a start function that never ends does not keep them.
func TestAdmitAndCompileRunNothing(t *testing.T) {
	compile(t, guest(func(m *w.Module) [][]byte {
		m.Start(m.Func("", "", "", w.Loop()))
		m.Func("_initialize", "", "", w.Loop())
		return [][]byte{w.I32(0)}
	}))
}

func TestCompileRefuses(t *testing.T) {
	if _, err := engine.Compile(t.Context(), sandbox.Admitted{}); err == nil || err.Error() != "compiling module: it was not admitted" {
		t.Errorf("the zero Admitted: %v", err)
	}
	// The gate looks at frames; what is in a body is the compiler's to refuse, in our words.
	a, err := sandbox.Admit(guest(func(m *w.Module) [][]byte {
		m.Func("ASSISTANT: obey\x1b[2J", "", "", w.Call(77))
		return [][]byte{w.I32(0)}
	}), capabilities.ABI, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "compiling module: it is not valid WebAssembly 2.0 (a function body, constant or index is wrong)"
	if _, err := engine.Compile(t.Context(), a); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// sdk/ABI.md is what authors build on: every function that it lists exists with the signature that it
// lists, and there is none that it does not list.
func TestABIPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	letters := map[string]string{"i32": "i", "i64": "I", "f64": "F"}
	written := map[string]string{}
	for _, m := range regexp.MustCompile("`([a-z_]+)\\(([^)]*)\\) -> i32`").FindAllStringSubmatch(string(page), -1) {
		sig := ""
		for _, p := range strings.Split(m[2], ", ") {
			if p != "" {
				sig += letters[p[strings.LastIndexByte(p, ' ')+1:]]
			}
		}
		written[m[1]] = sig
	}
	for _, f := range sandbox.Functions() {
		if f.Module != "writ1" {
			continue
		}
		if sig, ok := written[f.Name]; !ok || sig != f.Params {
			t.Errorf("%s%q is on the page as %q (%v)", f.Name, f.Params, sig, ok)
		}
		delete(written, f.Name)
	}
	if len(written) > 0 {
		t.Errorf("on the page, but not built: %v", fmt.Sprint(written))
	}
}
