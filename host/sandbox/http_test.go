package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// request is a well-formed head.
const request = `{"capability":"api","method":"GET","path":"/v1/forecast","query":"city=Oslo","headers":[["Accept","application/json"],["X","1"],["X","2"]]}`

func TestHTTP(t *testing.T) {
	var got effect.HTTPRequest
	host := newMemory()
	host.fetch = func(_ context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		got = req
		return effect.HTTPResponse{Status: 418, Header: []effect.Header{{Name: "A", Value: "b\xff"}}, Body: []byte("short and stout")}, nil
	}
	out := probe(t).Run(t.Context(), ask{Do: "fetch", Text: "the body", List: []string{request}}.call(host))
	want := `[[1,0,"{\"status\":418,\"headers\":[[\"A\",\"b` + "\uFFFD" + `\"]]}","short and stout",""]]`
	if out.Fault != nil || string(out.Output) != want {
		t.Errorf("output %s, fault %v; want %s", out.Output, out.Fault, want)
	}
	wantReq := effect.HTTPRequest{Capability: "api", Method: "GET", Path: "/v1/forecast", Query: "city=Oslo", Body: []byte("the body"),
		Header: []effect.Header{{Name: "Accept", Value: "application/json"}, {Name: "X", Value: "1"}, {Name: "X", Value: "2"}}}
	if fmt.Sprint(got) != fmt.Sprint(wantReq) {
		t.Errorf("request %v, want %v", got, wantReq)
	}
}

// A refusal is an operation that failed, with its code and sentence. A code that the interface does
// not have is the host's own failure.
func TestHTTPErrors(t *testing.T) {
	for answered, want := range map[effect.Code]int{effect.Denied: -1, effect.Unavailable: -5, effect.Internal: -9, 77: -9, effect.OK: -9, -3: -9} {
		host := newMemory()
		host.fetch = func(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
			return effect.HTTPResponse{}, &effect.Error{Code: answered, Text: "because"}
		}
		out := probe(t).Run(t.Context(), ask{Do: "fetch", List: []string{request}}.call(host))
		if wantOut := fmt.Sprintf(`[[1,%d,"","","because"]]`, want); out.Fault != nil || string(out.Output) != wantOut {
			t.Errorf("code %d: %s, fault %v; want %s", answered, out.Output, out.Fault, wantOut)
		}
	}
}

// A request that is not well-formed never reaches the guard.
func TestHTTPMalformed(t *testing.T) {
	host := newMemory()
	host.fetch = func(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		t.Error("a malformed request reached the host")
		return effect.HTTPResponse{}, nil
	}
	lines := func(n int) string {
		one := strings.Repeat(`["A","b"],`, n)
		return `{"capability":"api","method":"GET","path":"/","headers":[` + strings.TrimSuffix(one, ",") + `]}`
	}
	cases := map[string]struct {
		head string
		code int
	}{
		"nothing":                  {``, -2},
		"no JSON":                  {`GET / HTTP/1.1`, -2},
		"an unknown name":          {`{"capability":"api","url":"http://169.254.169.254/"}`, -2},
		"a duplicate name":         {`{"capability":"api","capability":"other"}`, -2},
		"a folded name":            {`{"Capability":"api"}`, -2},
		"two values":               {`{"capability":"api"}{}`, -2},
		"a header of one string":   {`{"capability":"api","headers":[["A"]]}`, -2},
		"a header of three":        {`{"capability":"api","headers":[["A","b","c"]]}`, -2},
		"a header that is a map":   {`{"capability":"api","headers":{"A":"b"}}`, -2},
		"65 headers":               {lines(65), -4},
		"40,000 headers":           {lines(40_000), -4},
		"a head above its limit":   {`{"path":"` + strings.Repeat("a", 64<<10) + `"}`, -4},
		"deep nesting":             {strings.Repeat("[", 10_000), -2},
		"a lone surrogate":         {`{"path":"\ud800"}`, -2},
		"invalid UTF-8 in a value": {"{\"path\":\"\xff\"}", -2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(c.head), Host: host, Limits: enough()}
			out := httpStarter(t).Run(t.Context(), call)
			if out.Fault != nil || int(int32(out.Output[0])|int32(out.Output[1])<<8|int32(out.Output[2])<<16|int32(out.Output[3])<<24) != c.code {
				t.Errorf("output %v, fault %v; want %d", out.Output, out.Fault, c.code)
			}
		})
	}
	if out := probe(t).Run(t.Context(), ask{Do: "fetch", List: []string{lines(64)}}.call(newMemory())); out.Fault != nil || !bytes.Contains(out.Output, []byte("[1,-1,")) {
		t.Errorf("control: 64 headers: %s, fault %v", out.Output, out.Fault)
	}
}

// httpStarter is a guest that starts one exchange with its input as the head and answers the code.
func httpStarter(tb testing.TB) *sandbox.Code {
	return compile(tb, guest(func(m *w.Module) [][]byte {
		read := m.Import("writ1", "input_read", "iii", "i")
		length := m.Import("writ1", "input_len", "", "i")
		start := m.Import("writ1", "http_start", "iiii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		return [][]byte{w.I32(100), w.Grow(), w.Drop(),
			w.I32(64), w.Call(length), w.I32(0), w.Call(read), w.Drop(),
			w.I32(0), w.I32(64), w.Call(length), w.I32(0), w.I32(0), w.Call(start), w.Store32(),
			w.I32(0), w.I32(4), w.Call(write), w.Drop(), w.I32(0)}
	}))
}

// Operations overlap: five exchanges that each wait for the other four all end.
func TestHTTPOverlaps(t *testing.T) {
	const n = 5
	var all sync.WaitGroup
	all.Add(n)
	host := newMemory()
	host.fetch = func(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		all.Done()
		all.Wait()
		return effect.HTTPResponse{Status: 200}, nil
	}
	list := strings.Split(strings.Repeat(request+"\n", n), "\n")[:n]
	if got := answer[[]any](t, probe(t), ask{Do: "fetch", List: list}.call(host)); len(got) != n {
		t.Errorf("answers %v", got)
	}
}

func TestOperationsAreCapped(t *testing.T) {
	release := make(chan struct{})
	var running sync.WaitGroup
	running.Add(64)
	host := newMemory()
	host.fetch = func(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		running.Done()
		<-release
		return effect.HTTPResponse{Status: 200}, nil
	}
	go func() { running.Wait(); close(release) }()
	list := strings.Split(strings.Repeat(request+"\n", 70), "\n")[:70]
	got := answer[[][]any](t, probe(t), ask{Do: "fetch", List: list}.call(host))
	refused := 0
	for _, a := range got {
		if len(a) == 2 && a[1] == float64(-effect.Limit) {
			refused++
		}
	}
	if refused != 6 || len(got) != 70 {
		t.Errorf("%d of %d refused, want 6 of 70", refused, len(got))
	}
}

// What operations hold for a guest is host memory: it counts against the call's memory.
func TestOperationsHoldNoMoreThanTheMemoryLimit(t *testing.T) {
	host := newMemory()
	host.fetch = func(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		return effect.HTTPResponse{Status: 200, Body: make([]byte, 40<<20)}, nil
	}
	call := ask{Do: "fetch", List: []string{request}}.call(host)
	call.Limits.Memory = 32 << 20
	got := answer[[][]any](t, probe(t), call)
	if len(got) != 1 || got[0][1] != float64(-effect.Limit) || got[0][3] != "" {
		t.Errorf("answers %.200v", got)
	}
}

// What the host takes for answers before they are there counts too, that of all operations together, and
// is free again when they ended.
func TestOperationsShareTheRoomOfTheirCall(t *testing.T) {
	const n = 3
	var tried sync.WaitGroup
	tried.Add(n)
	var had, first atomic.Int64
	host := newMemory()
	host.fetch = func(ctx context.Context, _ effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		room := effect.RoomOf(ctx)
		if room.Take(-1) {
			t.Error("less than nothing was taken")
		}
		has := room.Take(12 << 20)
		if has {
			had.Add(1)
		}
		tried.Done()
		tried.Wait()
		if has && first.Add(1) == 1 { // it ends without an answer, and all that it took is free
			return effect.HTTPResponse{}, &effect.Error{Code: effect.Unavailable, Text: "first"}
		}
		for !room.Take(16<<20) && ctx.Err() == nil {
			runtime.Gosched()
		}
		room.Give(16 << 20)
		return effect.HTTPResponse{Status: 200}, nil
	}
	call := ask{Do: "fetch", List: strings.Split(strings.Repeat(request+"\n", n), "\n")[:n]}.call(host)
	call.Limits.Memory, call.Limits.Wall = 32<<20, 10*time.Second
	answer[[][]any](t, probe(t), call)
	if got := had.Load(); got != n-1 {
		t.Errorf("%d operations took 12 MiB each of 32", got)
	}
}

// The answers of wrong use of operations.
func TestOperationCodes(t *testing.T) {
	names := map[string]string{"op_wait": "iiI", "op_status": "i", "op_len": "ii", "op_read": "iiiii", "op_close": "i", "web_start": "iiii", "kv_start": "iiii", "elicit_start": "ii"}
	i := func(v int32) []byte { return w.I32(v) }
	cases := []struct {
		name, fn string
		args     [][]byte
		code     int
	}{
		{"wait for an unknown id", "op_wait", [][]byte{i(0), i(1), w.I64(-1)}, -3},
		{"wait for nothing for ever", "op_wait", [][]byte{i(0), i(0), w.I64(-1)}, -2},
		{"wait for nothing", "op_wait", [][]byte{i(0), i(0), w.I64(0)}, 0},
		{"sleep", "op_wait", [][]byte{i(0), i(0), w.I64(3)}, 0},
		{"wait for too many", "op_wait", [][]byte{i(0), i(65), w.I64(0)}, -2},
		{"status of none", "op_status", [][]byte{i(1)}, -3},
		{"length of none", "op_len", [][]byte{i(-1), i(0)}, -3},
		{"read none", "op_read", [][]byte{i(0), i(0), i(0), i(0), i(1)}, -3},
		{"close none", "op_close", [][]byte{i(1 << 30)}, -3},
		{"web without a head", "web_start", [][]byte{i(0), i(0), i(0), i(0)}, -2},
		{"kv without a head", "kv_start", [][]byte{i(0), i(0), i(0), i(0)}, -2},
		{"elicit, which is not built", "elicit_start", [][]byte{i(0), i(0)}, -7},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code := compile(t, guest(func(m *w.Module) [][]byte {
				f := m.Import("writ1", c.fn, names[c.fn], "i")
				write := m.Import("writ1", "output_write", "ii", "i")
				body := append([][]byte{i(0)}, c.args...)
				return append(body, w.Call(f), w.Store32(), i(0), i(4), w.Call(write), w.Drop(), i(0))
			}))
			out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: newMemory(), Limits: enough()})
			if out.Fault != nil || len(out.Output) != 4 || int8(out.Output[0]) != int8(c.code) {
				t.Errorf("output %v, fault %v; want %d", out.Output, out.Fault, c.code)
			}
		})
	}
}

// Without a Host nothing is even started.
func TestHTTPWithoutAHost(t *testing.T) {
	out := probe(t).Run(t.Context(), ask{Do: "fetch", List: []string{request}}.call(nil))
	var got [][]any
	if err := json.Unmarshal(out.Output, &got); err != nil || got[0][1] != float64(-effect.Denied) {
		t.Errorf("output %s, fault %v", out.Output, out.Fault)
	}
}
