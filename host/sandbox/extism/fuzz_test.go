package extism_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox/extism"
)

// FuzzMessages reads what a plug-in writes. A result that is strict JSON stays so and does not change when
// it is read again; a request has a URL.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"content":[{"type":"resource","data":"AA==","mimeType":null},{"type":"image","data":"data:image/png;base64,AA=="}],"isError":null}`))
	f.Add([]byte(`{"tools":[{"name":"a","annotations":{"title":null},"inputSchema":null}]}`))
	f.Add([]byte(`{"url":"https://a.test/?q=1","method":"post","headers":{"A":1,"B":true}}`))
	f.Add([]byte(`{"method":"tools/call","params":{"name":"x"}}`))
	f.Add([]byte("{\"name\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		var v any
		strict := strictjson.Decode(raw, &v) == nil
		for name, do := range map[string]func([]byte) []byte{"result": extism.Result, "description": extism.Description} {
			out := do(raw)
			if !strict {
				if !bytes.Equal(out, raw) {
					t.Errorf("%s: %q became %q", name, raw, out)
				}
				continue
			}
			if strictjson.Decode(out, &v) != nil {
				t.Errorf("%s: %q became %q, which is no strict JSON", name, raw, out)
			}
			if again := do(out); !bytes.Equal(again, out) {
				t.Errorf("%s: %q, then %q", name, out, again)
			}
		}
		if req, err := extism.Request(raw); err == nil && (req.URL == "" || req.Method == "" || len(req.Header) > effect.MaxHeaders) {
			t.Errorf("request %+v", req)
		}
		if out, err := extism.NewerRequest(raw); err == nil && !json.Valid(out) {
			t.Errorf("%q became %q", raw, out)
		}
		if !bytes.Equal(before, raw) {
			t.Error("the plug-in's bytes were changed")
		}
	})
}

// FuzzKernel does what a plug-in might, and compares with memory that is a map.
func FuzzKernel(f *testing.F) {
	f.Add([]byte{0, 40, 1, 64, 2, 64, 3, 72, 4, 64, 5, 64, 6, 0, 7, 9})
	f.Add([]byte{0, 255, 0, 1, 1, 200, 8, 1, 0, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		k, a := newKernel(1 << 20)
		shadow := map[uint64]byte{}
		var blocks []uint64
		for i := 0; i+1 < len(script); i += 2 {
			arg := uint64(script[i+1])
			at := arg
			if len(blocks) > 0 {
				at = blocks[int(arg)%len(blocks)] + arg%16 - 4
			}
			switch script[i] % 9 {
			case 0:
				if b, ok := k.Alloc(arg * arg); ok && b != 0 {
					blocks = append(blocks, b)
				}
			case 1:
				k.Free(at)
			case 2:
				if k.Store8(at, script[i]) {
					shadow[at] = script[i]
				}
			case 3:
				v := arg * 0x0123456789abcdef
				if k.Store64(at, v) {
					for j := range uint64(8) {
						shadow[at+j] = byte(v >> (8 * j))
					}
				}
			case 4:
				if v, ok := k.Load8(at); ok && v != shadow[at] {
					t.Fatalf("byte at %d: %d, want %d", at, v, shadow[at])
				}
			case 5:
				if v, ok := k.Load64(at); ok {
					for j := range uint64(8) {
						if byte(v>>(8*j)) != shadow[at+j] {
							t.Fatalf("eight bytes at %d: %x", at, v)
						}
					}
				}
			case 6:
				k.Reset()
				clear(shadow)
				blocks = nil
			case 7:
				k.SetOutput(at, arg)
				k.SetError(at)
				k.MoveInput(at, arg)
			case 8:
				k.SetVar(string(script[:i]), script[i:])
			}
			if a.held > a.limit {
				t.Fatalf("%d bytes are held", a.held)
			}
		}
		k.Output(1 << 20)
		k.Error(1 << 20)
		k.LoadInput8(0)
		k.LoadInput64(0)
	})
}
