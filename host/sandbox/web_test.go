package sandbox_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// pageReader is a guest that starts web_start with its input as the head, waits, and answers the code
// and the head of the answer.
func pageReader(tb testing.TB) *sandbox.Code {
	return compile(tb, guest(func(m *w.Module) [][]byte {
		read := m.Import("writ1", "input_read", "iii", "i")
		length := m.Import("writ1", "input_len", "", "i")
		start := m.Import("writ1", "web_start", "iiii", "i")
		wait := m.Import("writ1", "op_wait", "iiI", "i")
		part := m.Import("writ1", "op_read", "iiiii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		return [][]byte{w.I32(100), w.Grow(), w.Drop(),
			w.I32(64), w.Call(length), w.I32(0), w.Call(read), w.Drop(),
			w.I32(0), w.I32(64), w.Call(length), w.I32(0), w.I32(0), w.Call(start), w.Store32(),
			w.I32(0), w.I32(1), w.I64(10_000), w.Call(wait), w.Drop(),
			w.I32(4), w.I32(0), w.Load32(), w.I32(0), w.I32(0), w.I32(512), w.I32(4096), w.Call(part), w.Store32(),
			w.I32(0), w.I32(4), w.Call(write), w.Drop(),
			w.I32(512), w.I32(4), w.Load32(), w.I32(0), w.I32(4), w.Load32(), w.I32(0), w.Op(0x4a), w.Op(0x1b), w.Call(write), w.Drop(), w.I32(0)}
	}))
}

func TestWeb(t *testing.T) {
	var got effect.WebRequest
	host := newMemory()
	host.page = func(_ context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
		got = req
		return effect.WebResponse{URL: "https://b.test/y\xff", HTTPResponse: effect.HTTPResponse{Status: 200, Header: []effect.Header{{Name: "age", Value: "1"}}}}, nil
	}
	headers := func(n int) string {
		return `{"url":"x","method":"GET","headers":[` + strings.TrimSuffix(strings.Repeat(`["a","b"],`, n), ",") + `]}`
	}
	code := pageReader(t)
	for name, c := range map[string]struct {
		head string
		code int32
		want string // the answer's head
	}{
		"a page":                 {`{"url":"https://a.test/x?y","method":"GET","headers":[["accept","text/html"]]}`, 1, `{"url":"https://b.test/y` + "\ufffd" + `","status":200,"headers":[["age","1"]]}`},
		"64 headers":             {headers(64), 1, `{"url":"https://b.test/y` + "\ufffd" + `","status":200,"headers":[["age","1"]]}`},
		"deny 65 headers":        {headers(65), -4, ""},
		"deny a long head":       {`{"url":"` + strings.Repeat("a", 64<<10) + `"}`, -4, ""},
		"deny no head":           {``, -2, ""},
		"deny an http head":      {`{"capability":"api","method":"GET","path":"/"}`, -2, ""},
		"deny a capability":      {`{"url":"https://a.test/","capability":"api"}`, -2, ""},
		"deny another spelling":  {`{"URL":"https://a.test/"}`, -2, ""},
		"deny a repeated member": {`{"url":"https://a.test/","url":"https://b.test/"}`, -2, ""},
		"deny half a header":     {`{"url":"https://a.test/","headers":[["a"]]}`, -2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got = effect.WebRequest{}
			out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(c.head), Host: host, Limits: enough()})
			if out.Fault != nil || len(out.Output) < 4 || int32(binary.LittleEndian.Uint32(out.Output)) != c.code || string(out.Output[4:]) != c.want {
				t.Fatalf("output %q, fault %v", out.Output, out.Fault)
			}
			if (got.URL != "") != (c.code > 0) {
				t.Errorf("the host was asked for %+v", got)
			}
		})
	}
	// Without a host nothing is started.
	out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(`{"url":"https://a.test/","method":"GET"}`), Limits: enough()})
	if out.Fault != nil || int32(binary.LittleEndian.Uint32(out.Output)) != -1 {
		t.Errorf("no host: output %q, fault %v", out.Output, out.Fault)
	}
}
