package sandbox_test

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Memory of the puppet: what calls returned, then its input, which is what it does.
const (
	resultsAt  = 0
	resultMask = 0x3ff // bytes; more results go round
	inputAt    = 64 << 10
	puppetSize = 4 * 64 << 10
)

// puppet is a guest that calls host functions as its input says: a byte for the function, by its place in
// sandbox.Functions, and eight bytes for each argument; a byte that is no function ends it.
func puppet() []byte {
	m := &w.Module{}
	functions := sandbox.Functions()
	for _, f := range functions {
		m.Import(f.Module, f.Name, f.Params, result(f))
	}
	m.Memory(w.Range(4, 4))
	length, read := calleeIndex("input_len"), calleeIndex("input_read")
	const p, k, op = 0, 1, 2 // locals: the next call, where its result goes, its function
	at := func(offset uint32, load byte) []byte { return w.Code(w.Get(p), w.Op(load, []byte{0}, w.U32(offset))) }
	var calls []byte
	for i, f := range functions {
		var one []byte
		if f.Result {
			one = append(one, w.Get(k)...)
		}
		for j, c := range f.Params {
			one = append(one, at(uint32(1+8*j), map[rune]byte{'i': 0x28, 'I': 0x29, 'F': 0x2b}[c])...)
		}
		one = append(one, w.Call(uint32(i))...)
		if f.Result {
			one = append(one, w.Op(0x36, []byte{0, 0})...)
			one = append(one, w.Code(w.Get(k), w.I32(4), w.Add(), w.I32(resultMask), w.Op(0x71), w.Set(k))...)
		}
		one = append(one, w.Code(w.Get(p), w.I32(int32(1+8*len(f.Params))), w.Add(), w.Set(p), w.Br(1))...)
		calls = append(calls, w.Code(w.Get(op), w.I32(int32(i)), w.Op(0x46), w.If(one))...)
	}
	m.FuncLocals("servlet_call", "", "i", w.Code([]byte{1, 3, 0x7f}),
		w.I32(inputAt), w.Call(length), w.I32(0), w.Call(read), w.Drop(), w.I32(inputAt), w.Set(p),
		w.Op(0x03, []byte{0x40}), at(0, 0x2d), w.Set(op), calls, []byte{0x0b}, w.I32(0))
	return m.Bytes()
}

// calleeIndex is a function's place in sandbox.Functions.
func calleeIndex(name string) uint32 {
	return uint32(slices.IndexFunc(sandbox.Functions(), func(f sandbox.Function) bool { return f.Name == name }))
}

// orders are an input of the puppet in the making: calls, and after them the bytes that they refer to.
type orders struct {
	calls []byte
	data  []byte
	room  int // bytes that all calls take
}

// newOrders makes room for n calls.
func newOrders(n int) *orders { return &orders{room: n * (1 + 8*9)} }

// put places bytes and returns where they are in the guest's memory.
func (s *orders) put(p []byte) uint64 {
	at := uint64(inputAt + s.room + len(s.data))
	s.data = append(s.data, p...)
	return at
}

func (s *orders) call(name string, args ...uint64) {
	s.calls = append(s.calls, byte(calleeIndex(name)))
	for _, a := range args {
		s.calls = binary.LittleEndian.AppendUint64(s.calls, a)
	}
}

// bytes is the input. The last call gives all memory from the results to the end of the data out.
func (s *orders) bytes() []byte {
	s.call("output_write", resultsAt, uint64(inputAt+s.room+len(s.data)))
	return slices.Concat(s.calls, []byte{0xff}, make([]byte, s.room-len(s.calls)-1), s.data)
}

// played is what a script came to.
type played struct {
	sandbox.Outcome
	memory []byte // all of it up to the end of the data; nil: the call did not get that far
}

// result is what the n-th call returned.
func (p played) result(n int) int32 {
	return int32(binary.LittleEndian.Uint32(p.memory[resultsAt+4*n:]))
}

// at is what lies at an address that put returned.
func (p played) at(address uint64, n int) []byte { return p.memory[address : address+uint64(n)] }

// player runs scripts.
type player struct {
	code   *sandbox.Code
	limits sandbox.Limits
}

func newPlayer(tb testing.TB) *player {
	l := enough()
	l.Memory, l.Wall, l.HostCalls = puppetSize, 5*time.Second, 2000
	return &player{code: compile(tb, puppet()), limits: l}
}

// play runs a script. Whatever it does must not fail the host.
func (p *player) play(t *testing.T, input []byte, change func(*sandbox.Call)) played {
	t.Helper()
	host := &watchful{memory: newMemory("/data"), t: t}
	host.memory.nodes["file"] = &node{data: []byte("what the file says"), inode: 2}
	call := sandbox.Call{Entry: sandbox.EntryCall, Input: input, Host: host, Limits: p.limits}
	if change != nil {
		change(&call)
	}
	out := p.code.Run(t.Context(), call)
	if out.Fault != nil {
		if out.Fault.Kind == sandbox.FaultHost {
			t.Fatalf("the host failed: %v", out.Fault)
		}
		if !utf8.ValidString(out.Fault.Text) || len(out.Fault.Text) > 5000 {
			t.Errorf("fault %q", out.Fault.Text)
		}
	}
	total := 0
	for _, line := range out.Logs {
		if !utf8.ValidString(line.Text) || line.Text == "" || len(line.Text) > 4<<10 || strings.Contains(line.Text, "\n") {
			t.Errorf("log line %q", line.Text)
		}
		total += len(line.Text)
	}
	if total > p.limits.Log {
		t.Errorf("%d bytes of log lines, limit %d", total, p.limits.Log)
	}
	if len(out.Output) > call.Limits.Output {
		t.Errorf("%d bytes of output, limit %d", len(out.Output), call.Limits.Output)
	}
	return played{out, out.Output}
}

// watchful is a Host that checks what it is asked: a guard may count on it.
type watchful struct {
	*memory
	t       *testing.T
	keys    []string
	fetched []effect.HTTPRequest
	kept    []effect.KVRequest
	paths   []string
}

func (h *watchful) path(p string) {
	h.paths = append(h.paths, p)
	if p == "" || len(p) > 4096 || !utf8.ValidString(p) || strings.ContainsRune(p, 0) {
		h.t.Errorf("path %q", p)
	}
}

func (h *watchful) Config(_ context.Context, key string) (string, *effect.Error) {
	h.keys = append(h.keys, key)
	if key == "" || len(key) > 256 {
		h.t.Errorf("configuration key %q", key)
	}
	return "value of " + key, nil
}

func (h *watchful) FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
	resp, err := h.Fetch(ctx, effect.HTTPRequest{Method: req.Method, Path: req.URL, Header: req.Header, Body: req.Body})
	return effect.WebResponse{URL: req.URL, HTTPResponse: resp}, err
}

func (h *watchful) Keep(_ context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error) {
	h.kept = append(h.kept, req)
	for _, s := range []string{req.Key, req.Prefix, req.Cursor} {
		if !utf8.ValidString(s) || len(s) > effect.MaxKVKey {
			h.t.Errorf("request with %q", s)
		}
	}
	if (req.Key == "") != (req.Op == effect.KVList) || len(req.Value) > effect.MaxKVValue || len(req.Value) > 0 && req.Op != effect.KVSet {
		h.t.Errorf("request %+v", req)
	}
	return effect.KVResponse{Value: []byte("value of " + req.Key), Keys: []string{req.Prefix + "x"}, Values: [][]byte{{1, 2}}, More: true}, nil
}

func (h *watchful) Fetch(_ context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetched = append(h.fetched, req)
	for _, s := range []string{req.Capability, req.Method, req.Path, req.Query} {
		if !utf8.ValidString(s) {
			h.t.Errorf("request with %q", s)
		}
	}
	if len(req.Header) > effect.MaxHeaders || len(req.Body) > 8<<20 {
		h.t.Errorf("request with %d headers and %d bytes", len(req.Header), len(req.Body))
	}
	return effect.HTTPResponse{Status: 200, Header: req.Header, Body: req.Body}, nil
}

func (h *watchful) Open(ctx context.Context, req effect.Open) (effect.Handle, effect.Errno) {
	h.path(req.Path)
	return h.memory.Open(ctx, req)
}

func (h *watchful) StatAt(dir effect.Handle, p string, follow bool) (effect.Stat, effect.Errno) {
	h.path(p)
	return h.memory.StatAt(dir, p, follow)
}

func (h *watchful) ReadLink(dir effect.Handle, p string) (string, effect.Errno) {
	h.path(p)
	return "link to " + p, effect.Success
}

func (h *watchful) Mkdir(dir effect.Handle, p string) effect.Errno {
	h.path(p)
	return h.memory.Mkdir(dir, p)
}

func (h *watchful) Rmdir(dir effect.Handle, p string) effect.Errno {
	h.path(p)
	return h.memory.Rmdir(dir, p)
}

func (h *watchful) Unlink(dir effect.Handle, p string) effect.Errno {
	h.path(p)
	return h.memory.Unlink(dir, p)
}

func (h *watchful) Rename(from effect.Handle, oldPath string, to effect.Handle, newPath string) effect.Errno {
	h.path(oldPath)
	h.path(newPath)
	return h.memory.Rename(from, oldPath, to, newPath)
}

func (h *watchful) Read(f effect.Handle, p []byte, offset int64) (int, effect.Errno) {
	if len(p) == 0 || len(p) > puppetSize {
		h.t.Errorf("a read into %d bytes", len(p))
	}
	return h.memory.Read(f, p, offset)
}

func (h *watchful) Write(f effect.Handle, p []byte, offset int64) (int, effect.Errno) {
	if len(p) == 0 || len(p) > puppetSize {
		h.t.Errorf("a write of %d bytes", len(p))
	}
	if offset > 1<<20 { // the memory host keeps holes as bytes
		return 0, effect.ErrFBig
	}
	return h.memory.Write(f, p, offset)
}

func (h *watchful) Seek(f effect.Handle, offset int64, whence int) (int64, effect.Errno) {
	if whence < 0 || whence > 2 {
		h.t.Errorf("a seek from %d", whence)
	}
	if offset > 1<<20 {
		return 0, effect.ErrInval
	}
	return h.memory.Seek(f, offset, whence)
}

func (h *watchful) SetSize(f effect.Handle, size int64) effect.Errno {
	if size < 0 {
		h.t.Errorf("a size of %d", size)
	}
	return h.memory.SetSize(f, size)
}

func (h *watchful) ReadDir(f effect.Handle, cookie uint64, most int) ([]effect.Entry, effect.Errno) {
	if most < 1 {
		h.t.Errorf("%d entries are asked for", most)
	}
	return h.memory.ReadDir(f, cookie, most)
}
