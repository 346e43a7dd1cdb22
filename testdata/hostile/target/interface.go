package target

import (
	"encoding/binary"
	"fmt"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// The namespaces of the guest interface.
const (
	Writ1 = "writ1"
	WASI  = "wasi_snapshot_preview1"
)

// Function is one function of the guest interface, as sdk/ABI.md and WASI preview 1 have it. A letter stands for each
// parameter: i is i32, I i64, F f64.
type Function struct {
	Module, Name, Params string
	Result               bool // an i32
}

// Results are the letters of its results.
func (f Function) Results() string {
	if f.Result {
		return "i"
	}
	return ""
}

// Import adds it to a module.
func (f Function) Import(m *w.Module) uint32 {
	return m.Import(f.Module, f.Name, f.Params, f.Results())
}

// Functions are all functions of the interface. They are written down here a second time, so that the product's own
// list is compared with another one.
var Functions = func() (list []Function) {
	for _, f := range [][2]string{
		{"input_len", ""}, {"input_read", "iii"}, {"output_write", "ii"}, {"error_write", "ii"}, {"log", "iii"}, {"progress", "FFii"},
		{"op_wait", "iiI"}, {"op_status", "i"}, {"op_len", "ii"}, {"op_read", "iiiii"}, {"op_close", "i"},
		{"config_get", "iiii"}, {"http_start", "iiii"}, {"web_start", "iiii"}, {"kv_start", "iiii"}, {"elicit_start", "ii"},
	} {
		list = append(list, Function{Writ1, f[0], f[1], true})
	}
	for _, f := range [][2]string{
		{"args_get", "ii"}, {"args_sizes_get", "ii"}, {"environ_get", "ii"}, {"environ_sizes_get", "ii"},
		{"clock_res_get", "ii"}, {"clock_time_get", "iIi"}, {"random_get", "ii"}, {"sched_yield", ""}, {"poll_oneoff", "iiii"},
		{"fd_advise", "iIIi"}, {"fd_allocate", "iII"}, {"fd_close", "i"}, {"fd_datasync", "i"}, {"fd_fdstat_get", "ii"},
		{"fd_fdstat_set_flags", "ii"}, {"fd_fdstat_set_rights", "iII"}, {"fd_filestat_get", "ii"}, {"fd_filestat_set_size", "iI"},
		{"fd_filestat_set_times", "iIIi"}, {"fd_pread", "iiiIi"}, {"fd_prestat_dir_name", "iii"}, {"fd_prestat_get", "ii"},
		{"fd_pwrite", "iiiIi"}, {"fd_read", "iiii"}, {"fd_readdir", "iiiIi"}, {"fd_seek", "iIii"}, {"fd_sync", "i"},
		{"fd_tell", "ii"}, {"fd_write", "iiii"},
		{"path_create_directory", "iii"}, {"path_filestat_get", "iiiii"}, {"path_filestat_set_times", "iiiiIIi"},
		{"path_link", "iiiiiii"}, {"path_open", "iiiiiIIii"}, {"path_readlink", "iiiiii"}, {"path_remove_directory", "iii"},
		{"path_rename", "iiiiii"}, {"path_symlink", "iiiii"}, {"path_unlink_file", "iii"},
	} {
		list = append(list, Function{WASI, f[0], f[1], true})
	}
	return append(list, Function{WASI, "proc_exit", "i", false})
}()

// Named returns a function of the interface.
func Named(name string) Function {
	for _, f := range Functions {
		if f.Name == name {
			return f
		}
	}
	panic("the interface has no function " + name)
}

// Import imports a function of the interface by its name.
func Import(m *w.Module, name string) uint32 { return Named(name).Import(m) }

// ArgumentsAt is where a Caller has its arguments; below it memory is the target of what it calls.
const ArgumentsAt = 32 << 10

// Caller is a guest that calls one function of the interface with the arguments in its input, eight bytes each, and
// answers the four bytes of the result. data is what its memory starts with.
func Caller(f Function, data string) []byte {
	return Guest(func(m *w.Module) [][]byte {
		index := f.Import(m)
		read, write := Import(m, "input_read"), Import(m, "output_write")
		m.Data(0, []byte(data))
		body := [][]byte{w.I32(ArgumentsAt), w.I32(128), w.I32(0), w.Call(read), w.Drop(), w.I32(ArgumentsAt - 4)}
		for i, p := range f.Params {
			load := map[rune][]byte{'i': w.Load32(), 'I': w.Load64(), 'F': {0x2b, 3, 0}}[p]
			body = append(body, w.I32(int32(ArgumentsAt+8*i)), load)
		}
		body = append(body, w.Call(index))
		if !f.Result {
			body = append(body, w.I32(0))
		}
		return append(body, w.Store32(), w.I32(ArgumentsAt-4), w.I32(4), w.Call(write), w.Drop(), w.I32(0))
	})
}

// Arguments are the input of a Caller.
func Arguments(values ...uint64) []byte {
	var p []byte
	for _, v := range values {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return p
}

// Result reads the answer of a Caller. One that called output_write has more of it before the result.
func Result(out sandbox.Outcome) (int32, error) {
	n := len(out.Output) - 4
	if out.Fault != nil || n < 0 {
		return 0, fmt.Errorf("output %.40x, fault %v; want a result of four bytes", out.Output, out.Fault)
	}
	return int32(binary.LittleEndian.Uint32(out.Output[n:])), nil
}
