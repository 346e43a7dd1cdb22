package target

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Keep is a manifest of a servlet that may keep quota KB, for a scope, and whose tool uses it as given ("kv").
func Keep(name, scope, uses string, quota int) capabilities.Manifest {
	m := Manifest(name)
	m.Capabilities.KV = &capabilities.KV{QuotaKB: quota, Scope: scope}
	m.Uses["go"] = []string{uses}
	return m
}

// Recalling is a servlet that answers every call with what it keeps under a key, or with "unset" when it is told any
// error.
func Recalling(key string) []byte { return keeping("get", key, "", Text("#")) }

// Noting is a servlet that keeps a value under a key and answers "kept", or "refused" when it is told any error.
func Noting(key, value string) []byte { return keeping("set", key, value, Text("#")) }

// Regretting is Noting by a call that then says that it failed.
func Regretting(key, value string) []byte {
	return keeping("set", key, value, strings.TrimSuffix(Text("#"), "}")+`,"isError":true}`)
}

func keeping(op, key, value, answer string) []byte {
	quoted, err := json.Marshal(key)
	if err != nil {
		panic(err)
	}
	head := fmt.Sprintf(`{"op":%q,"key":%s}`, op, quoted)
	first, last, _ := strings.Cut(answer, "#")
	const headAt, firstAt, lastAt, failedAt, doneAt, gotAt, bodyAt = 0, 4096, 5120, 6144, 7168, 8192, 16384
	failed, done := "unset", ""
	if op == "set" {
		failed, done = "refused", "kept"
	}
	m := &w.Module{}
	start, status, part, write := Import(m, "kv_start"), Import(m, "op_status"), Import(m, "op_read"), Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	for at, text := range map[int32]string{headAt: head, firstAt: first, lastAt: last, failedAt: failed, doneAt: done, bodyAt: value} {
		m.Data(at, []byte(text))
	}
	say := func(at int32, n []byte) []byte { return w.Code(w.I32(at), n, w.Call(write), w.Drop()) }
	// What did not start has no status, which is an error too.
	m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f},
		w.I32(headAt), w.I32(int32(len(head))), w.I32(bodyAt), w.I32(int32(len(value))), w.Call(start), w.Set(0),
		say(firstAt, w.I32(int32(len(first)))),
		w.Get(0), w.Call(status), w.I32(0), []byte{0x48}, // i32.lt_s
		[]byte{0x04, 0x40}, say(failedAt, w.I32(int32(len(failed)))),
		[]byte{0x05}, say(doneAt, w.I32(int32(len(done)))),
		w.I32(gotAt), w.Get(0), w.I32(1), w.I32(0), w.I32(gotAt), w.I32(4096), w.Call(part), w.Call(write), w.Drop(), []byte{0x0b},
		say(lastAt, w.I32(int32(len(last)))), w.I32(0))
	return m.Bytes()
}
