package sandbox_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// noteTaker is a guest that starts kv_start with the first line of its input as the head and the rest as the
// body, and answers the code, the status (which is there at once), the head and the body of the answer.
func noteTaker(tb testing.TB) *sandbox.Code {
	return compile(tb, guest(func(m *w.Module) [][]byte {
		read := m.Import("writ1", "input_read", "iii", "i")
		length := m.Import("writ1", "input_len", "", "i")
		start := m.Import("writ1", "kv_start", "iiii", "i")
		status := m.Import("writ1", "op_status", "i", "i")
		part := m.Import("writ1", "op_read", "iiiii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		// 0 op, 4 status, 8 bytes of the part; 64 the input, of which the first 4 bytes are the head's length.
		op := func() [][]byte { return [][]byte{w.I32(0), w.Load32()} }
		body := [][]byte{w.I32(100), w.Grow(), w.Drop(),
			w.I32(64), w.Call(length), w.I32(0), w.Call(read), w.Drop(),
			w.I32(0), w.I32(68), w.I32(64), w.Load32(),
			w.I32(68), w.I32(64), w.Load32(), w.Op(0x6a), // where the body begins
			w.Call(length), w.I32(4), w.Op(0x6b), w.I32(64), w.Load32(), w.Op(0x6b), // and how long it is
			w.Call(start), w.Store32(),
			w.I32(4)}
		body = append(body, op()...)
		body = append(body, w.Call(status), w.Store32(), w.I32(0), w.I32(8), w.Call(write), w.Drop())
		for p := range int32(2) {
			body = append(body, w.I32(8))
			body = append(body, op()...)
			body = append(body, w.I32(p), w.I32(0), w.I32(2<<20), w.I32(3<<20), w.Call(part), w.Store32(),
				// Nothing is written of a part that is not there.
				w.I32(2<<20), w.I32(8), w.Load32(), w.I32(0), w.I32(8), w.Load32(), w.I32(0), w.Op(0x4a), w.Op(0x1b), w.Call(write), w.Drop())
		}
		return append(body, w.I32(0))
	}))
}

func TestKV(t *testing.T) {
	var asked []string
	host := newMemory()
	host.keep = func(_ context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error) {
		asked = append(asked, fmt.Sprintf("%s %q %.9q %q %q %v", req.Op, req.Key, req.Value, req.Prefix, req.Cursor, req.Values))
		switch {
		case req.Key == "none":
			return effect.KVResponse{}, &effect.Error{Code: effect.NotFound, Text: "no such key"}
		case req.Key == "odd":
			return effect.KVResponse{}, &effect.Error{Code: 77, Text: "odd"}
		case req.Op == effect.KVGet:
			return effect.KVResponse{Value: []byte("\x00value")}, nil
		case req.Prefix == "empty":
			return effect.KVResponse{More: true}, nil
		}
		return effect.KVResponse{Keys: []string{"a\n", "ä"}, Values: [][]byte{{1}, nil}, More: req.Cursor == ""}, nil
	}
	long := strings.Repeat("k", 513)
	code := noteTaker(t)
	limits := enough()
	limits.Output = 1 << 20
	for name, c := range map[string]struct {
		head, body   string
		code, status int32
		want, asked  string // head and body of the answer
	}{
		"get":                        {`{"op":"get","key":"a\u0000/../"}`, "", 1, 0, "\x00value", `get "a\x00/../" "" "" "" false`},
		"get what is not there":      {`{"op":"get","key":"none"}`, "", 1, -3, "", `get "none" "" "" "" false`},
		"a failure of no known kind": {`{"op":"get","key":"odd"}`, "", 1, -9, "", `get "odd" "" "" "" false`},
		"set":                        {`{"op":"set","key":"a"}`, "\xff\x00x", 1, 0, "", `set "a" "\xff\x00x" "" "" false`},
		"set nothing":                {`{"op":"set","key":"a"}`, "", 1, 0, "", `set "a" "" "" "" false`},
		"set a large value":          {`{"op":"set","key":"a"}`, strings.Repeat("x", 1<<20), 1, 0, "", `set "a" "xxxxxxxxx" "" "" false`},
		"deny a larger one":          {`{"op":"set","key":"a"}`, strings.Repeat("x", 1<<20+1), 1, -4, "", ""},
		"delete":                     {`{"op":"delete","key":"a"}`, "", 1, 0, "", `delete "a" "" "" "" false`},
		"list":                       {`{"op":"list"}`, "", 1, 0, `{"keys":["a\n","ä"],"cursor":"ä"}`, `list "" "" "" "" false`},
		"list on":                    {`{"op":"list","prefix":"p","cursor":"pa","values":false}`, "", 1, 0, `{"keys":["a\n","ä"]}`, `list "" "" "p" "pa" false`},
		"list with values":           {`{"op":"list","values":true}`, "", 1, 0, `{"keys":["a\n","ä"],"sizes":[1,0],"cursor":"ä"}` + "\x01", `list "" "" "" "" true`},
		"list nothing":               {`{"op":"list","prefix":"empty"}`, "", 1, 0, `{"keys":[]}`, `list "" "" "empty" "" false`},
		"list nothing with values":   {`{"op":"list","prefix":"empty","values":true}`, "", 1, 0, `{"keys":[],"sizes":[]}`, `list "" "" "empty" "" true`},
		"deny no head":               {``, "", -2, -3, "", ""},
		"deny no operation":          {`{"key":"a"}`, "", -2, -3, "", ""},
		"deny another operation":     {`{"op":"drop","key":"a"}`, "", -2, -3, "", ""},
		"deny another spelling":      {`{"op":"get","Key":"a"}`, "", -2, -3, "", ""},
		"deny a repeated member":     {`{"op":"get","key":"a","key":"b"}`, "", -2, -3, "", ""},
		"deny an owner":              {`{"op":"get","key":"a","owner":"space:work"}`, "", -2, -3, "", ""},
		"deny no key":                {`{"op":"get"}`, "", -2, -3, "", ""},
		"deny an empty key":          {`{"op":"delete","key":""}`, "", -2, -3, "", ""},
		"deny a long key":            {`{"op":"get","key":"` + long + `"}`, "", -2, -3, "", ""},
		"deny a long prefix":         {`{"op":"list","prefix":"` + long + `"}`, "", -2, -3, "", ""},
		"deny a long cursor":         {`{"op":"list","cursor":"` + long + `"}`, "", -2, -3, "", ""},
		"deny half a character":      {`{"op":"get","key":"\ud800"}`, "", -2, -3, "", ""},
		"deny a prefix of get":       {`{"op":"get","key":"a","prefix":""}`, "", -2, -3, "", ""},
		"deny a key of list":         {`{"op":"list","key":""}`, "", -2, -3, "", ""},
		"deny a body of get":         {`{"op":"get","key":"a"}`, "x", -2, -3, "", ""},
		"deny a body of list":        {`{"op":"list"}`, "x", -2, -3, "", ""},
		"deny a long head":           {`{"op":"list","prefix":"` + strings.Repeat("a", 64<<10) + `"}`, "", -4, -3, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			input := binary.LittleEndian.AppendUint32(nil, uint32(len(c.head)))
			input = append(append(input, c.head...), c.body...)
			out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Input: input, Host: host, Limits: limits})
			if out.Fault != nil || len(out.Output) < 8 {
				t.Fatalf("output %q, fault %v", out.Output, out.Fault)
			}
			got, status := int32(binary.LittleEndian.Uint32(out.Output)), int32(binary.LittleEndian.Uint32(out.Output[4:]))
			if got != c.code || status != c.status || string(out.Output[8:]) != c.want {
				t.Errorf("%d, status %d, %q; want %d, %d, %q", got, status, out.Output[8:], c.code, c.status, c.want)
			}
			if strings.Join(asked, ";") != c.asked {
				t.Errorf("the host was asked for %s", asked)
			}
		})
	}
	t.Run("deny everything without a host", func(t *testing.T) {
		head := `{"op":"get","key":"a"}`
		input := append(binary.LittleEndian.AppendUint32(nil, uint32(len(head))), head...)
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Input: input, Limits: limits})
		if out.Fault != nil || int32(binary.LittleEndian.Uint32(out.Output)) != -1 {
			t.Errorf("output %q, fault %v", out.Output, out.Fault)
		}
	})
}

// FuzzKeep: whatever a guest writes as a head, what reaches the host is one well-formed request, and the
// host is asked exactly when an operation was started.
func FuzzKeep(f *testing.F) {
	for _, head := range []string{
		`{"op":"get","key":"a"}`, `{"op":"set","key":"a"}`, `{"op":"delete","key":"\u0000"}`, `{"op":"list","prefix":"a","cursor":"b","values":true}`,
		`{"op":"list"}`, `{"op":"list","key":"a"}`, `{"op":"get","prefix":"a"}`, `{"op":null}`, `{"key":"\ud800"}`, `{"Op":"get"}`, `[]`, `{} {}`, "\ufeff{}",
	} {
		f.Add([]byte(head), []byte(""))
		f.Add([]byte(head), []byte("body"))
	}
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, head, body []byte) {
		if len(head)+len(body) > 100_000 {
			return
		}
		s := newOrders(4)
		h, b := s.put(head), s.put(body)
		s.call("kv_start", h, uint64(len(head)), b, uint64(len(body)))
		s.call("op_status", 1)
		var host *watchful
		out := p.play(t, s.bytes(), func(c *sandbox.Call) { host = c.Host.(*watchful) })
		if out.memory == nil {
			t.Fatalf("fault %v", out.Fault)
		}
		if started := out.result(0) > 0; started != (len(host.kept) == 1) || started != (out.result(1) == 0) {
			t.Fatalf("kv_start returned %d, op_status %d, %d requests reached the host", out.result(0), out.result(1), len(host.kept))
		}
	})
}
