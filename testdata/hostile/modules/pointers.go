package modules

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var pointers = attack.Row{
	ID:    "A7",
	Title: "pointers, lengths, counts and descriptors at every edge, for every function of the interface",
	Mutants: []string{
		"pointer-bounds", "pointer-table", "pointer-offset", "pointer-path", "pointer-path-text", "pointer-path-null",
		"pointer-iovecs", "pointer-subscriptions", "pointer-operations",
		"descriptors-per-call", "random-fresh", "trap-reported",
	},
	Run: func(r *attack.Report) {
		for _, f := range target.Functions {
			code, err := target.Compile(target.Reset, target.Caller(f, "f"))
			if err != nil {
				r.Variant(f.Name, func() error { return err })
				continue
			}
			for i, args := range wild(f.Params) {
				if !r.Among(i, 10) {
					continue
				}
				r.Variant(fmt.Sprintf("%s%x", f.Name, args), func() error { return contained(code, f, args) })
			}
			for _, e := range edges[f.Name] {
				r.Variant(fmt.Sprintf("%s%x at the edge", f.Name, e.args), func() error { return e.hold(code, f) })
			}
			if err := code.Close(context.Background()); err != nil {
				r.Hits = append(r.Hits, err.Error())
			}
		}
		r.Variant("upper halves of i32 slots", upperHalves)
	},
}

const end = wasmPage

const wasmPage = 64 << 10

// wild are argument lists: a plain one, and every value of a hostile set in each place, alone and with one of the worst
// in each place before it.
func wild(params string) [][]uint64 {
	odd := map[rune][]uint64{
		'i': {0, 1, 3, end - 1, end, end + 1, math.MaxInt32, 1 << 31, math.MaxUint32 - 15, math.MaxUint32},
		'I': {0, 1, math.MaxInt64, 1 << 63, math.MaxUint64},
		'F': {0, math.Float64bits(math.NaN()), math.Float64bits(math.Inf(-1))},
	}
	worst := map[rune][]uint64{'i': {0, end, math.MaxUint32}, 'I': {math.MaxInt64, math.MaxUint64}, 'F': {0}}
	plain := []uint64{3, 1024, 16, 2048, 1, 4096, 0, 0, 512}[:len(params)]
	list := [][]uint64{plain}
	with := func(v []uint64, i int, x uint64) []uint64 {
		c := append([]uint64(nil), v...)
		c[i] = x
		return c
	}
	for i, p := range params {
		for _, x := range odd[p] {
			one := with(plain, i, x)
			list = append(list, one)
			for j, q := range params[:i] {
				for _, y := range worst[q] {
					list = append(list, with(one, j, y))
				}
			}
		}
	}
	return list
}

// contained wants an answer or a fault of the guest: no panic, no fault of the host, no memory of the host for a length
// that the guest made up.
func contained(code *sandbox.Code, f target.Function, args []uint64) error {
	call := target.Call(target.NewWilling("/data", "/more"), target.Arguments(args...)...)
	sleeps := f.Name == "op_wait" || f.Name == "poll_oneoff"
	if sleeps {
		call.Limits.Wall = 2 * time.Millisecond // some of the arguments ask for years
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := code.Run(context.Background(), call)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		return fmt.Errorf("it took %d KiB of the host's memory", took>>10)
	}
	switch {
	case out.Fault == nil:
		_, err := target.Result(out)
		return err
	case out.Fault.Kind == sandbox.FaultABI:
		return target.Fault(out, sandbox.FaultABI, outOfMemory(f))
	case out.Fault.Kind == sandbox.FaultExit && f.Name == "proc_exit":
		return target.Fault(out, sandbox.FaultExit, fmt.Sprintf("the servlet exited with code %d before it answered", int32(args[0])))
	case out.Fault.Kind == sandbox.FaultDeadline && sleeps:
		return target.Fault(out, sandbox.FaultDeadline, "the servlet did not answer within 2ms")
	}
	return out.Fault
}

func outOfMemory(f target.Function) string {
	return "the servlet passed a range outside its memory to " + f.Name
}

// edge is one call and its one outcome.
type edge struct {
	args []uint64
	want int32
	bad  bool // the range is not in memory
}

func (e edge) hold(code *sandbox.Code, f target.Function) error {
	host := target.NewWilling("/data")
	out := code.Run(context.Background(), target.Call(host, target.Arguments(e.args...)...))
	if e.bad {
		if host.Asked.Load() > 0 {
			return fmt.Errorf("%d requests reached the host before the range was checked", host.Asked.Load())
		}
		return target.Fault(out, sandbox.FaultABI, outOfMemory(f))
	}
	if got, err := target.Result(out); err != nil || got != e.want {
		return errors.Join(err, fmt.Errorf("result %d; want %d", got, e.want))
	}
	return nil
}

// fits, fails and bad make edges.
func fits(want int32, args ...uint64) edge { return edge{args: args, want: want} }
func bad(args ...uint64) edge              { return edge{args: args, bad: true} }

const most = math.MaxUint32

// edges has, for functions of every shape, the last range that is served and the first that is not.
var edges = map[string][]edge{
	"random_get":            {fits(0, 0, 32<<10), fits(0, end-8, 8), fits(0, end, 0), bad(0, end+1), bad(end-8, 9), bad(end+1, 0), bad(8, most), bad(most, 1)},
	"input_read":            {fits(4, end-4, 4, 0), fits(0, end, 0, 0), fits(0, 0, 16, most), fits(0, 0, 16, 1<<31), bad(end-4, 5, 0), bad(most-15, 16, 0)},
	"output_write":          {fits(0, end, 0), bad(end-4, 5), bad(0, most)},
	"error_write":           {fits(4, end-4, 4), bad(end-4, 5), bad(most, most)},
	"log":                   {fits(0, 1, end-4, 4), bad(1, end-4, 5), bad(most, 0, most), fits(-2, 4, 0, 0)},
	"progress":              {fits(0, 0, 0, end, 0), bad(0, 0, end, 1), bad(math.Float64bits(math.NaN()), 0, end+1, 0)},
	"config_get":            {fits(18, 0, 1, end-18, 18), fits(18, 0, 1, end, 0), bad(0, 1, end-18, 19), bad(0, 0, end, 1), bad(end, 1, 0, 0), fits(-2, 0, 0, 0, 0), fits(-2, 0, 257, 0, 0)},
	"clock_time_get":        {fits(0, 0, 0, end-8), bad(0, 0, end-7), bad(0, 0, most), bad(9, 0, end)},
	"clock_res_get":         {fits(0, 1, end-8), bad(1, end-7), bad(2, most)},
	"args_sizes_get":        {fits(0, end-4, 0), bad(end-3, 0), bad(0, end-3)},
	"environ_sizes_get":     {fits(0, 0, end-4), bad(0, most), bad(most, 0)},
	"environ_get":           {fits(0, end, end), bad(end+1, 0), bad(0, most)},
	"fd_prestat_get":        {fits(0, 3, end-8), bad(3, end-7), bad(77, most)},
	"fd_prestat_dir_name":   {fits(0, 3, end-5, 5), bad(3, end-5, 6), fits(37, 3, 0, 4)},
	"fd_filestat_get":       {fits(0, 3, end-64), bad(3, end-63)},
	"fd_fdstat_get":         {fits(0, 3, end-24), bad(3, end-23)},
	"fd_read":               {fits(0, 3, 1024, 1, end-4), bad(3, 1024, 1, end-3), bad(3, end-8, 2, 0), bad(3, 0, 1<<29, 0), bad(3, 0, most, 0), fits(28, 3, 0, 1025, 2048), fits(0, 3, 0, 1024, 2048<<2)},
	"fd_write":              {fits(0, 1, 1024, 1, end-4), bad(1, 1024, 1, end-3), bad(1, 0, 1<<29, 0), fits(28, 1, 0, 1025, 2048), fits(28, 1, 0, 8000, 2048)},
	"fd_pread":              {fits(0, 3, 1024, 1, 0, end-4), bad(3, 1024, 1, 0, most), fits(28, 3, 1024, 1, 1<<63, 0)},
	"fd_seek":               {bad(3, 0, 0, end-7), fits(31, 3, 0, 0, end-8), fits(8, 3000, 0, 0, 0), fits(70, 0, 0, 0, 0)},
	"fd_readdir":            {fits(0, 3, end-64, 64, 0, 0), bad(3, end-64, 65, 0, 0), bad(3, 0, 64, 0, end-3)},
	"path_open":             {fits(0, 3, 0, 0, 1, 0, 2, 0, 0, end-4), bad(3, 0, 0, 1, 0, 2, 0, 0, end-3), bad(3, 0, end, 1, 0, 2, 0, 0, 0), bad(3, 0, 0, most, 1, 64, 0, 0, 0)},
	"path_readlink":         {fits(0, 3, 0, 1, end-18, 18, 2048), bad(3, 0, 1, end-18, 19, 2048), bad(3, 0, 1, 0, 8, end-3), fits(37, 3, 2, 4097, 0, 8, 2048), fits(44, 3, 0, 0, 0, 8, 2048)},
	"path_create_directory": {fits(0, 3, 0, 1), bad(3, end, 1), fits(28, 3, 0, 2), fits(28, 3|0xff<<32, target.ArgumentsAt+4, 1), fits(28, 3, 8, 1), fits(28, 3, 0, 4096), fits(37, 3, 0, 4097), bad(3, 0, most)},
	"path_rename":           {fits(0, 3, 0, 1, 3, 0, 1), bad(3, 0, 1, 3, end, 1), fits(28, 3, 0, 1, 3, 0, 2)},
	"path_symlink":          {fits(63, 0, 1, 3, 0, 1), bad(0, 1, 3, end, 1), bad(end, 1, 3, 0, 1)},
	"path_link":             {fits(63, 3, 0, 0, 1, 3, 0, 1), bad(3, 0, end, 1, 3, 0, 1), bad(3, 0, 0, 1, 3, most, 1)},
	"op_wait":               {fits(-3, end-256, 64, 0), bad(end-252, 64, 0), bad(0, 1<<30, 0), bad(4, 0x4000_0001, 0), fits(-2, 0, 65, 0), fits(-2, 0, 0, most<<32)},
	"op_read":               {fits(-3, 1, 0, 0, end-4, 4), bad(1, 0, 0, end-4, 5), bad(1, 0, 0, 0, most)},
	"http_start":            {fits(-2, 0, 1, end, 0), bad(0, 1, end, 1), bad(0, most, 0, 0), bad(end, 1, 0, 0)},
	"web_start":             {fits(-2, 0, 1, end, 0), bad(0, 1, end, 1), bad(0, most, 0, 0), bad(end, 1, 0, 0)},
	"poll_oneoff":           {fits(0, 0, 100, 1, end-4), bad(0, 100, 1, end-3), bad(end-47, 0, 1, 0), bad(0, end-31, 1, 0), bad(0, 0, 0x0555_5556, 0), fits(28, 0, 0, 0, 0), fits(28, 0, 0, 1025, 2048)},
	"kv_start":              {fits(-2, 0, 1, 0, 0), bad(0, 1, end, 1), bad(0, most, 0, 0)},
	"elicit_start":          {fits(-7, 0, 1), bad(0, most)},
}

// upperHalves fills the upper half of every slot with what a compiler may leave there. A host that reads it gets
// pointers beyond any check.
func upperHalves() error {
	module := target.Guest(func(m *w.Module) [][]byte {
		random, write := target.Import(m, "random_get"), target.Import(m, "output_write")
		wrapped := func(low int64) []byte { return w.Code(w.I64(low|0x7777_7777<<32), w.Op(0xa7)) } // i32.wrap_i64
		return [][]byte{wrapped(0), wrapped(8), w.Call(random), w.Drop(), wrapped(0), wrapped(8), w.Call(write), w.Drop(), w.I32(0)}
	})
	out, err := target.Run(target.Reset, module, target.Call(nil))
	if err == nil && (out.Fault != nil || len(out.Output) != 8 || string(out.Output) == strings.Repeat("\x00", 8)) {
		err = fmt.Errorf("output %x, fault %v", out.Output, out.Fault)
	}
	return err
}

var movingMemory = attack.Row{
	ID:      "A8",
	Title:   "memory that is overwritten, grown and moved while the host works with what it held",
	Mutants: []string{"http-body-copied"},
	Run: func(r *attack.Report) {
		for _, way := range target.Ways(r) {
			r.Variant("a request's body, "+string(way), func() error { return bodyOverwritten(way) })
			r.Variant("output, error and log, "+string(way), func() error { return textOverwritten(way) })
		}
	},
}

// bodyOverwritten starts an exchange and overwrites its body before the host reads it.
func bodyOverwritten(way target.Way) error {
	const bodyAt, size = 8192, 4096
	post := strings.Replace(head, "GET", "POST", 1)
	m := &w.Module{}
	start, wait, status := target.Import(m, "http_start"), target.Import(m, "op_wait"), target.Import(m, "op_status")
	get, write := target.Import(m, "config_get"), target.Import(m, "output_write")
	i := w.I32
	m.Memory(w.Range(1, 64))
	m.Data(headAt, []byte(post))
	m.Func("servlet_call", "", "i",
		i(bodyAt), i('A'), i(size), w.Fill(),
		i(0), i(headAt), i(int32(len(post))), i(bodyAt), i(size), w.Call(start), w.Store32(),
		i(headAt), i('B'), i(16<<10), w.Fill(), i(40), w.Grow(), w.Drop(), i(headAt), i('C'), i(16<<10), w.Fill(),
		i(headAt), i(3), i(0), i(0), w.Call(get), w.Drop(), // the host reads the body now
		i(0), i(1), w.I64(-1), w.Call(wait), w.Drop(),
		i(0), i(0), w.Load32(), w.Call(status), w.Store32(), i(0), i(4), w.Call(write), w.Drop(), i(0))
	overwritten := make(chan struct{})
	host := target.NewWilling()
	host.OnConfig = func(context.Context, string) (string, *effect.Error) {
		close(overwritten)
		return "", nil
	}
	var got effect.HTTPRequest
	host.OnFetch = func(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		select {
		case <-overwritten:
		case <-ctx.Done():
		}
		req.Body = []byte(string(req.Body))
		got = req
		return effect.HTTPResponse{Status: 200}, nil
	}
	out, err := target.Run(way, m.Bytes(), target.Call(host))
	if err = errors.Join(err, target.Output(out, make([]byte, 4))); err != nil {
		return err
	}
	if string(got.Body) != strings.Repeat("A", size) || got.Method != "POST" || got.Path != "/v1/" || got.Capability != "api" {
		return fmt.Errorf("the host sent %s %s with the body %.40q; the guest asked for POST /v1/ with A", got.Method, got.Path, got.Body)
	}
	return nil
}

// textOverwritten overwrites what it wrote.
func textOverwritten(way target.Way) error {
	m := &w.Module{}
	log, fail, write := target.Import(m, "log"), target.Import(m, "error_write"), target.Import(m, "output_write")
	i := w.I32
	m.Memory(w.Range(1, 64))
	m.Func("servlet_call", "", "i",
		i(0), i('A'), i(64), w.Fill(),
		i(1), i(0), i(64), w.Call(log), w.Drop(), i(0), i(64), w.Call(write), w.Drop(), i(0), i(64), w.Call(fail), w.Drop(),
		i(0), i('B'), i(64), w.Fill(), i(40), w.Grow(), w.Drop(), i(0), i('C'), i(64), w.Fill(), i(0))
	out, err := target.Run(way, m.Bytes(), target.Call(nil))
	want := strings.Repeat("A", 64)
	if err = errors.Join(err, target.Output(out, []byte(want))); err == nil && (len(out.Logs) != 1 || out.Logs[0].Text != want) {
		err = fmt.Errorf("logs %v", out.Logs)
	}
	return err
}

var results = attack.Row{
	ID:      "A10",
	Title:   "nowhere for a result to go: address 0, one place for two, over the request itself, beyond the end, negative",
	Mutants: []string{"pointer-bounds", "trap-reported"},
	Run: func(r *attack.Report) {
		for _, way := range target.Ways(r) {
			for name, c := range map[string]struct {
				f    string
				data string
				edge edge
			}{
				"input at address 0":               {"input_read", "", fits(16, 0, 16, 0)},
				"a value over its own key":         {"config_get", "KEY", fits(18, 0, 3, 0, 18)},
				"a value without room":             {"config_get", "KEY", fits(18, 0, 3, 64, 17)},
				"a value into -1 bytes":            {"config_get", "KEY", bad(0, 3, 64, most)},
				"events over their subscriptions":  {"poll_oneoff", strings.Repeat("\x00\x00\x00\x00\x00\x00\x00\x00\x02"+strings.Repeat("\x00", 39), 4), fits(0, 0, 0, 4, 0)},
				"two buffers in one place":         {"fd_read", "\x40\x00\x00\x00\x08\x00\x00\x00\x40\x00\x00\x00\x08\x00\x00\x00", fits(0, 3, 0, 2, 0)},
				"a buffer over the list":           {"fd_read", "\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00", fits(0, 3, 0, 2, 0)},
				"a buffer beyond the end":          {"fd_read", "\x00\x00\x01\x00\x01\x00\x00\x00", bad(3, 0, 1, 64)},
				"a second buffer beyond the end":   {"fd_read", "\x40\x00\x00\x00\x08\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", bad(3, 0, 2, 64)},
				"a count beyond the end":           {"fd_write", "\x00\x00\x00\x00\x01\x00\x00\x00", bad(3, 0, 1, end-3)},
				"a descriptor beyond the end":      {"path_open", "f", bad(3, 0, 0, 1, 1, 64, 0, 0, most)},
				"a stat beyond the end":            {"path_filestat_get", "f", bad(3, 0, 0, 1, end-63)},
				"a link's target beyond the end":   {"path_readlink", "f", bad(3, 0, 1, end, 1, 0)},
				"a position beyond the end":        {"fd_seek", "", bad(3, 0, 0, end)},
				"a directory's name into -1 bytes": {"fd_prestat_dir_name", "", bad(3, 0, most)},
			} {
				r.Variant(name+", "+string(way), func() error {
					f := target.Named(c.f)
					code, err := target.Compile(way, target.Caller(f, c.data))
					if err != nil {
						return err
					}
					return errors.Join(c.edge.hold(code, f), code.Close(context.Background()))
				})
			}
		}
	},
}
