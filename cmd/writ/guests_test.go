package main

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// small are servlets of a few hundred bytes, one for each way in which calls can start. Their one tool
// "say" answers with the text "hello".
var small = map[string]func(m *w.Module){
	"fast": func(*w.Module) {},
	"tables": func(m *w.Module) {
		m.Table(w.Range(1, 1))
		m.Func("", "", "", w.I32(0), w.Op(0xd0, []byte{0x70}), w.Op(0x26, w.U32(0)))
	},
	// Needs a setting to initialise itself, which is a caller's and not there before a call.
	"needy": func(m *w.Module) {
		get := m.Import("writ1", "config_get", "iiii", "i")
		m.Data(1024, []byte("KEY"))
		m.Func("_initialize", "", "", w.I32(1024), w.I32(3), w.I32(2048), w.I32(64), w.Call(get),
			w.I32(0), w.Op(0x48), w.If(w.Unreachable()))
	},
	"endless": func(m *w.Module) { m.Func("_initialize", "", "", w.Loop()) },
}

// sealSmall writes the small servlets into a folder, signed with a key.
func sealSmall(dir string, key ed25519.PrivateKey) error {
	for name, add := range small {
		answer := []byte(`{"content":[{"type":"text","text":"hello"}]}`)
		m := &w.Module{}
		write := m.Import("writ1", "output_write", "ii", "i")
		add(m)
		m.Memory(w.Range(1, 2))
		m.Data(0, answer)
		m.Func("servlet_call", "", "i", w.I32(0), w.I32(int32(len(answer))), w.Call(write), w.Drop(), w.I32(0))
		manifest := capabilities.Manifest{
			Schema: capabilities.Schema, Name: name, Version: "1.0.0", Seq: 1,
			Issued: time.Now().UTC().Format(time.RFC3339), Expires: time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339),
			Tools: []json.RawMessage{json.RawMessage(`{"name":"say","inputSchema":{"type":"object"}}`)},
		}
		if name == "needy" {
			manifest.Capabilities.Config = []capabilities.Config{{Key: "KEY", Default: "x"}}
		}
		file, err := capabilities.Seal(m.Bytes(), manifest, key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name+".wasm"), file, 0o644); err != nil {
			return err
		}
	}
	return writePlugins(dir)
}
