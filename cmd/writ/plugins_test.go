package main

import (
	"errors"
	"os"
	"path/filepath"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Texts of the plug-ins below. The answer is in the form of older kits.
const (
	pluginTools  = `{"tools":[{"name":"hello","description":"Says hello.","inputSchema":{"type":"object"},"title":null}]}`
	pluginAnswer = `{"content":[{"type":"text","text":"hello from a plug-in","mimeType":"text/plain"}],"isError":null}`
	pluginAsks   = `{"url":"https://api.acme.test/v1/hello","method":"GET","headers":{}}`
)

// writePlugins writes plug-ins of Extism, of some hundred bytes each, into a folder: "hello" answers, and
// "asking" asks a server first, "silent" does not tell its tools and "stranger" imports what only its own
// host has.
func writePlugins(dir string) error {
	var errs []error
	for name, change := range map[string]func(m *w.Module){
		"hello": nil, "asking": nil, "silent": nil,
		"stranger": func(m *w.Module) { m.Import("extism:host/user", "create_message", "I", "I") },
	} {
		m := &w.Module{}
		if change != nil {
			change(m)
		}
		errs = append(errs, os.WriteFile(filepath.Join(dir, name+"-plugin.wasm"), plugin(m, name), 0o644))
	}
	return errors.Join(errs...)
}

func plugin(m *w.Module, name string) []byte {
	const env = "extism:host/env"
	alloc := m.Import(env, "alloc", "I", "I")
	store := m.Import(env, "store_u8", "Ii", "")
	output := m.Import(env, "output_set", "II", "")
	request := m.Import(env, "http_request", "II", "I")
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte(pluginTools))
	m.Data(1024, []byte(pluginAnswer))
	m.Data(2048, []byte(pluginAsks))
	// give(ptr, len) makes a block of a text; local 2 is the block, 3 the place in it.
	const block, at = 2, 3
	give := m.FuncLocals("", "ii", "I", w.Code([]byte{2, 1, 0x7e, 1, 0x7f}),
		w.Get(1), w.Op(0xad), w.Call(alloc), w.Set(block),
		w.Op(0x03, []byte{0x40}),
		w.Get(block), w.Get(at), w.Op(0xad), w.Op(0x7c), w.Get(0), w.Get(at), w.Add(), w.Op(0x2d, []byte{0, 0}), w.Call(store),
		w.Get(at), w.I32(1), w.Add(), w.Op(0x22, w.U32(at)), w.Get(1), w.Op(0x49), w.BrIf(0),
		[]byte{0x0b}, w.Get(block))
	say := func(from int32, text string) []byte {
		return w.Code(w.I32(from), w.I32(int32(len(text))), w.Call(give), w.I64(int64(len(text))), w.Call(output), w.I32(0))
	}
	if name != "silent" {
		m.Func("describe", "", "i", say(0, pluginTools))
	}
	var ask []byte
	if name == "asking" {
		ask = w.Code(w.I32(2048), w.I32(int32(len(pluginAsks))), w.Call(give), w.I64(0), w.Call(request), w.Drop())
	}
	m.Func("call", "", "i", ask, say(1024, pluginAnswer))
	return m.Bytes()
}
