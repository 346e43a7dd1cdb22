package modules

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var residue = attack.Row{
	ID:    "A13",
	Title: "something left for the next call: in memory, grown pages, globals, tables, segments, descriptors, logs, texts",
	Mutants: []string{
		"reset-memory", "reset-globals", "reset-grown", "rung-tables", "rung-passive", "notice-tables", "notice-segments", "capture-tables", "capture-folders",
		"descriptors-per-call", "meter-refuel", "meter-loop",
		"exit-ends", "gate-module-size", "stack-limit",
	},
	Run: func(r *attack.Report) {
		rounds := 10
		if r.Thorough {
			rounds = 60
		}
		for _, way := range target.Ways(r) {
			for _, table := range []bool{false, true} {
				hideAndSeek(r, way, table, rounds)
			}
			for name, module := range counters() {
				r.Variant(name+", "+string(way), func() error { return thrice(way, module, "\x01\x00\x00\x00") })
			}
			r.Variant("a descriptor of the last call, "+string(way), func() error { return oldDescriptor(way) })
			r.Variant("standard output that the last call closed, "+string(way), func() error { return closedStream(way) })
			r.Variant("the folders of the first call, "+string(way), func() error { return otherFolders(way) })
		}
	},
}

// What a hider does in one call, as bits of its input's first byte.
const (
	scan    = 1 << iota // look for the canary in all that a guest can reach
	grow                // take two more pages first
	trap                // crash at the end
	spin                // never end
	leave               // leave by proc_exit
	recurse             // fill the stack with the canary
	fail                // end with a failure
)

// hider hides a canary everywhere it can, or looks everywhere it can for one: each eight bytes of memory, its global and,
// with a table, whether the entry that it empties is still empty. It answers the hits.
func hider(table bool) []byte {
	m := &w.Module{}
	read, write := target.Import(m, "input_read"), target.Import(m, "output_write")
	log, failed, exit := target.Import(m, "log"), target.Import(m, "error_write"), target.Import(m, "proc_exit")
	m.Memory(w.Range(2, 100))
	hidden := m.Global(0)
	m.Data(65536+100, []byte("the image is not all zeros"))
	empty, isEmpty := w.Code(), w.I32(0)
	if table {
		m.Table(w.Range(2, 2))
		m.Elements([]byte{1, 0, 0x41, 0, 0x0b, 1, 0}) // entry 0 is function 0
		empty = w.Code(w.I32(0), []byte{0xd0, 0x70}, w.Op(0x26, w.U32(0)))
		isEmpty = w.Code(w.I32(0), w.Op(0x25, w.U32(0)), []byte{0xd1})
	}
	deep := m.FuncLocals("", "I", "", []byte{1, 4, 0x7e}, // keeps the canary in four locals of each frame
		w.Get(0), w.Set(1), w.Get(0), w.Set(2), w.Get(0), w.Set(3), w.Get(0), w.Set(4),
		w.Get(1), w.Call(5), w.Get(2), w.Drop(), w.Get(3), w.Drop(), w.Get(4), w.Drop())
	const canary, at, hits, do, limit = 0, 1, 2, 3, 4
	asked := func(bit int32, then ...[]byte) []byte {
		return w.Code(w.Get(do), w.I32(bit), []byte{0x71}, w.If(then...))
	}
	each := func(step int32, body ...[]byte) []byte { // for at := 32; at < limit; at += step
		return w.Code(w.I32(32), w.Set(at), []byte{0x03, 0x40}, w.Code(body...),
			w.Get(at), w.I32(step), w.Add(), w.Op(0x22, w.U32(at)), w.Get(limit), []byte{0x49, 0x0d, 0, 0x0b})
	}
	hit := func(test ...[]byte) []byte {
		return w.Code(w.Code(test...), w.If(w.Get(hits), w.I32(1), w.Add(), w.Set(hits)))
	}
	m.FuncLocals("servlet_call", "", "i", []byte{2, 1, 0x7e, 4, 0x7f},
		w.I32(0), w.I32(16), w.I32(0), w.Call(read), w.Drop(),
		w.I32(0), w.Load32(), w.Set(do), w.I32(8), w.Load64(), w.Set(canary),
		w.I32(0), w.I64(0), w.Store64(), w.I32(8), w.I64(0), w.Store64(), // the input is no residue
		asked(grow, w.I32(2), w.Grow(), w.Drop()),
		w.Op(0x3f, []byte{0}), w.I32(65536), []byte{0x6c}, w.I32(8), []byte{0x6b}, w.Set(limit),
		asked(scan,
			each(8, hit(w.Get(at), w.Load64(), w.Get(canary), []byte{0x51})),
			hit(w.Op(0x23, w.U32(hidden)), w.Get(canary), []byte{0x51}),
			hit(isEmpty),
			w.I32(16), w.Get(hits), w.Store32(), w.I32(16), w.I32(4), w.Call(write), w.Drop(), w.I32(0), w.Return()),
		each(1024, w.Get(at), w.Get(canary), w.Store64()),
		w.Get(canary), w.Op(0x24, w.U32(hidden)), empty,
		w.I32(1), w.I32(32), w.I32(8), w.Call(log), w.Drop(), w.I32(32), w.I32(8), w.Call(failed), w.Drop(),
		asked(recurse, w.Get(canary), w.Call(deep)),
		asked(trap, w.Unreachable()), asked(spin, w.Loop()), asked(leave, w.I32(0), w.Call(exit)), asked(fail, w.I32(1), w.Return()),
		w.I32(32), w.I32(8), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}

// task is a call of a hider.
func task(do byte, canary uint64) sandbox.Call {
	input := make([]byte, 16)
	input[0] = do
	binary.LittleEndian.PutUint64(input[8:], canary)
	call := target.Call(nil, input...)
	if do&spin != 0 {
		call.Limits.Wall = 2 * time.Millisecond
	}
	return call
}

// hideAndSeek hides a canary in one call and looks for it in the next, from two goroutines, however the first one ended.
func hideAndSeek(r *attack.Report, way target.Way, table bool, rounds int) {
	name := fmt.Sprintf("table %v, %s", table, way)
	code, err := target.Compile(way, hider(table))
	if err != nil {
		r.Variant(name, func() error { return err })
		return
	}
	ends := []byte{0, grow, trap, leave, recurse, fail, grow | trap, grow | leave, grow | fail, spin, recurse | trap}
	var mu sync.Mutex // guards r
	var callers sync.WaitGroup
	for caller := range 2 {
		callers.Go(func() {
			for i := range rounds {
				canary := uint64(caller+1)<<56 | 0x5a1e_0000_0000 | uint64(i)
				do := ends[(i+caller*5)%len(ends)]
				err := seek(code, do, canary, byte(i&1)*grow)
				mu.Lock()
				r.Variant(fmt.Sprintf("%s, call %d of caller %d", name, i, caller), func() error { return err })
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	r.Variant(name+": closing", func() error { return code.Close(context.Background()) })
}

func seek(code *sandbox.Code, do byte, canary uint64, also byte) error {
	hid := code.Run(context.Background(), task(do, canary))
	if (hid.Fault != nil) != (do&^grow != 0) {
		return fmt.Errorf("hiding ended with %v", hid.Fault)
	}
	if do&spin == 0 && len(hid.Logs) != 1 { // one that spins may be late before it begins
		return errors.New("nothing was logged: the canary was not hidden")
	}
	found := code.Run(context.Background(), task(scan|also, canary))
	hits, err := target.Result(found)
	if err == nil && (hits != 0 || len(found.Logs) != 0) {
		err = fmt.Errorf("%d hits and %d log lines of the call before, which did %b", hits, len(found.Logs), do)
	}
	return err
}

// counters count their calls in all that may outlive one, and answer the number.
func counters() map[string][]byte {
	const at = 64
	answer := func(m *w.Module, write uint32) []byte {
		return w.Code(w.I32(at), w.I32(4), w.Call(write), w.Drop(), w.I32(0))
	}
	count := func(make func(m *w.Module) (next []byte)) []byte { // next leaves the number of the call
		m := &w.Module{}
		write := target.Import(m, "output_write")
		m.Memory(w.Range(1, 8))
		next := make(m)
		m.Func("servlet_call", "", "i", w.I32(at), next, w.Store32(), answer(m, write))
		return m.Bytes()
	}
	return map[string][]byte{
		"a count in a global": count(func(m *w.Module) []byte {
			g := m.GlobalOf(0x7f, 1, w.I32(0))
			return w.Code(w.Op(0x23, w.U32(g)), w.I32(1), w.Add(), w.Op(0x24, w.U32(g)), w.Op(0x23, w.U32(g)))
		}),
		"a count in a float": count(func(m *w.Module) []byte {
			g := m.GlobalOf(0x7c, 1, w.F64(0))
			return w.Code(w.Op(0x23, w.U32(g)), w.F64(1), []byte{0xa0}, w.Op(0x24, w.U32(g)), w.Op(0x23, w.U32(g)), []byte{0xaa})
		}),
		"a count in memory": count(func(*w.Module) []byte {
			return w.Code(w.I32(40_000), w.I32(40_000), w.Load32(), w.I32(1), w.Add(), w.Store32(), w.I32(40_000), w.Load32())
		}),
		"a count of pages": count(func(*w.Module) []byte { return w.Code(w.I32(1), w.Grow()) }),
		"a count in a grown page": count(func(*w.Module) []byte {
			const page = 65_536
			return w.Code(w.I32(1), w.Grow(), w.Drop(),
				w.I32(page), w.I32(page), w.Load32(), w.I32(1), w.Add(), w.Store32(), w.I32(page), w.Load32())
		}),
		"a count of a table's entries": count(func(m *w.Module) []byte {
			m.Table(w.Range(1, 100))
			return w.Code([]byte{0xd0, 0x70}, w.I32(1), []byte{0xfc, 15, 0})
		}),
		"an element segment that was dropped": count(func(m *w.Module) []byte {
			m.Table(w.Range(1, 1))
			m.Elements([]byte{1, 1, 0, 1, 1}) // passive: function 1
			return w.Code(w.I32(0), w.I32(0), w.I32(1), []byte{0xfc, 12, 0, 0}, []byte{0xfc, 13, 0}, w.I32(1))
		}),
		"a data segment that was dropped": count(func(m *w.Module) []byte {
			m.Passive([]byte{1, 0, 0, 0})
			return w.Code(w.I32(128), w.I32(0), w.I32(4), w.Init(0), []byte{0xfc, 9, 0}, w.I32(128), w.Load32())
		}),
		"a data segment that is dropped and never read": count(func(m *w.Module) []byte {
			m.Passive([]byte{1})
			return w.Code([]byte{0xfc, 9, 0}, w.I32(1))
		}),
		"a table that initialisation changes": count(func(m *w.Module) []byte {
			one := m.Func("", "", "i", w.I32(1))
			m.Table(w.Range(1, 1))
			m.Elements([]byte{1, 3, 0, 1, byte(one)}) // declared
			m.Func("_initialize", "", "", w.I32(0), w.Op(0xd2, w.U32(one)), w.Op(0x26, w.U32(0)))
			return w.Code(w.I32(0), w.Op(0x11, w.U32(m.TypeOf("", "i")), w.U32(0)))
		}),
	}
}

// oldDescriptor uses, in a second call, the number of a file that the first one opened. The host would serve it.
func oldDescriptor(way target.Way) error {
	m := &w.Module{}
	open, readFile := target.Import(m, "path_open"), target.Import(m, "fd_read")
	input, write := target.Import(m, "input_len"), target.Import(m, "output_write")
	i := w.I32
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte("f"))
	m.Data(64, []byte{0, 4, 0, 0, 16, 0, 0, 0}) // 16 bytes at 1024
	m.Func("servlet_call", "", "i",
		w.Call(input), w.If(i(3), i(0), i(0), i(1), i(0), w.I64(2), w.I64(0), i(0), i(32), w.Call(open), w.Drop()),
		i(128), i(4), i(64), i(1), i(96), w.Call(readFile), w.Store32(), i(128), i(4), w.Call(write), w.Drop(), i(0))
	code, err := target.Compile(way, m.Bytes())
	if err != nil {
		return err
	}
	host := target.NewWilling("/data")
	first := code.Run(context.Background(), target.Call(host, 'x')) // opens descriptor 4 and reads it
	second := code.Run(context.Background(), target.Call(host))     // reads descriptor 4
	return errors.Join(target.Output(first, make([]byte, 4)),
		target.Output(second, binary.LittleEndian.AppendUint32(nil, uint32(effect.ErrBadFD))), code.Close(context.Background()))
}

// closedStream closes standard output and leaves half a line in standard error.
func closedStream(way target.Way) error {
	m := &w.Module{}
	closing, writeFile := target.Import(m, "fd_close"), target.Import(m, "fd_write")
	input, write := target.Import(m, "input_len"), target.Import(m, "output_write")
	i := w.I32
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte("CANARY"))
	m.Data(64, []byte{0, 0, 0, 0, 6, 0, 0, 0})
	say := func(fd int32) []byte { return w.Code(i(fd), i(64), i(1), i(96), w.Call(writeFile)) }
	m.Func("servlet_call", "", "i",
		w.Call(input), w.If(say(2), w.Drop(), i(1), w.Call(closing), w.Drop()),
		i(128), say(1), w.Store32(), i(128), i(4), w.Call(write), w.Drop(), i(0))
	code, err := target.Compile(way, m.Bytes())
	if err != nil {
		return err
	}
	first := code.Run(context.Background(), target.Call(nil, 'x'))
	second := code.Run(context.Background(), target.Call(nil))
	err = errors.Join(target.Output(first, binary.LittleEndian.AppendUint32(nil, uint32(effect.ErrBadFD))), target.Output(second, make([]byte, 4)))
	if err == nil && (len(first.Logs) != 1 || len(second.Logs) != 1) {
		err = fmt.Errorf("logs %v, then %v; want a line each", first.Logs, second.Logs)
	}
	return errors.Join(err, code.Close(context.Background()))
}

// otherFolders captures, in initialisation, the name of its first folder. A call with other folders must not believe it.
func otherFolders(way target.Way) error {
	m := &w.Module{}
	name, write := target.Import(m, "fd_prestat_dir_name"), target.Import(m, "output_write")
	i := w.I32
	m.Memory(w.AtLeast(1))
	m.Func("_initialize", "", "", i(3), i(0), i(5), w.Call(name), w.Drop())
	m.Func("servlet_call", "", "i", i(0), i(5), w.Call(write), w.Drop(), i(0))
	code, err := target.Compile(way, m.Bytes())
	if err != nil {
		return err
	}
	for _, folder := range []string{"/mine", "/mine", "/your", "/mine"} {
		err = errors.Join(err, target.Output(code.Run(context.Background(), target.Call(target.NewWilling(folder))), []byte(folder)))
	}
	return errors.Join(err, code.Close(context.Background()))
}
