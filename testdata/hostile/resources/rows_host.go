package resources

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// manyCalls: each is cheap, and the host does the work.
func (b *bench) manyCalls() ([]trial, error) {
	var all []trial
	for i, s := range []shape{
		{name: "log", module: guest(func(m *w.Module) []byte {
			return forever(w.I32(1), w.I32(0), w.I32(0), w.Call(logging(m)), w.Drop())
		})},
		{name: "clock_time_get", module: guest(func(m *w.Module) []byte {
			return forever(w.I32(1), w.I64(0), w.I32(0), w.Call(preview1(m, "clock_time_get", "iIi")), w.Drop())
		})},
		{name: "sched_yield", module: guest(func(m *w.Module) []byte {
			return forever(w.Call(preview1(m, "sched_yield", "")), w.Drop())
		}), long: true},
		{name: "input_len", module: guest(func(m *w.Module) []byte {
			return forever(w.Call(m.Import("writ1", "input_len", "", "i")), w.Drop())
		}), long: true},
		{name: "random_get", module: guest(func(m *w.Module) []byte {
			return forever(w.I32(0), w.I32(64), w.Call(preview1(m, "random_get", "ii")), w.Drop())
		}), long: true},
	} {
		if s.long && b.short {
			continue
		}
		all = append(all, trial{
			name: s.name, calls: b.times(64, 16), parallel: 8,
			servlet: servlet{alias: fmt.Sprint("calls", i), module: s.module, limits: capabilities.Limits{MemoryMB: 1, WallMS: 10_000}},
			want:    limited("host_calls", "the servlet made more than 100000 host calls"),
		})
	}
	random := b.endless(16, shape{name: "a gigabyte of randomness", module: worker(16*pagesMiB, func(m *w.Module) []byte {
		return forever(w.I32(0), w.I32(16<<20), w.Call(preview1(m, "random_get", "ii")), w.Drop())
	})})
	return append(all, random...), nil
}

// arguments that are as large as they can be.
func (b *bench) arguments() ([]trial, error) {
	const gib = 1 << 30
	size := int32(b.times(gib, gib/16))
	limits := capabilities.Limits{MemoryMB: 1024, WallMS: 5_000}
	huge := func(define func(m *w.Module) []byte) []byte { return worker(uint32(size/page), define) }
	rows := []struct {
		name   string
		module []byte
		want   []refusal
		long   bool
	}{
		{"a million iovecs over one region", worker(600, func(m *w.Module) []byte {
			write, fail := preview1(m, "fd_write", "iiii"), failing(m)
			m.Data(0, []byte{0, 0, 1, 0, 0, 0, 0, 2}) // the first: 32 MiB at 64 KiB
			return w.Code(w.I32(1), w.I32(0), w.I32(1_000_000), w.I32(32<<20), w.Call(write), w.Set(localErrno), report(fail))
		}), []refusal{{"tool error", "", "28 000000"}}, false},
		{"a log line of a gigabyte, again and again", huge(func(m *w.Module) []byte {
			return forever(w.I32(1), w.I32(0), w.I32(size), w.Call(logging(m)), w.Drop())
		}), limited("host_calls", "the servlet made more than 100000 host calls"), true},
		{"a gigabyte of standard output", huge(func(m *w.Module) []byte {
			write := preview1(m, "fd_write", "iiii")
			m.Data(0, binary.LittleEndian.AppendUint32([]byte{0, 1, 0, 0}, uint32(size-page)))
			return forever(w.I32(1), w.I32(0), w.I32(1), w.I32(16), w.Call(write), w.Drop())
		}), limited("host_calls", "the servlet made more than 100000 host calls"), false},
		{"a result of a gigabyte", huge(func(m *w.Module) []byte { return answer(output(m), 0, size) }),
			limited("output", "the result is larger than the 256 KiB that are granted"), false},
		{"an error text of a gigabyte", huge(func(m *w.Module) []byte {
			fail := failing(m)
			return w.Code(w.I32(0), w.I32('x'), w.I32(8<<10), w.Fill(), w.I32(0), w.I32(size), w.Call(fail), w.Drop(), w.I32(1))
		}), []refusal{{"tool error", "", strings.Repeat("x", 4<<10)}}, true},
		{"a request of a gigabyte", huge(func(m *w.Module) []byte {
			start, fail := m.Import("writ1", "http_start", "iiii", "i"), failing(m)
			return w.Code(w.I32(0), w.I32(0), w.I32(64), w.I32(0), w.I32(size), w.Call(start), sub, w.Set(localErrno), report(fail))
		}), []refusal{{"tool error", "", "04 000000"}}, true},
		{"a gigabyte that is not there", worker(1, func(m *w.Module) []byte {
			return w.Code(w.I32(1), w.I32(0), w.I32(gib), w.Call(logging(m)))
		}), crashed, true},
	}
	var all []trial
	for i, r := range rows {
		if r.long && b.short {
			continue
		}
		s := servlet{alias: fmt.Sprint("huge", i), module: r.module, limits: limits}
		if strings.Contains(r.name, "request") {
			s.origin = "https://example.com"
		}
		all = append(all, trial{
			name: r.name, calls: b.times(24, 6), parallel: 3, servlet: s, want: r.want,
			total: 32 * gib, memory: 16 << 20, // of all that is granted, they touch next to nothing
		})
	}
	vectors := b.endless(4, shape{name: "two gigabytes of iovecs", module: worker(4*pagesMiB, func(m *w.Module) []byte {
		write := preview1(m, "fd_write", "iiii")
		m.Data(0, bytes.Repeat([]byte{0, 0, 1, 0, 0xff, 0xff, 0x1f, 0}, 1024)) // 2 MiB at 64 KiB, a thousand times
		return forever(w.I32(1), w.I32(0), w.I32(1024), w.I32(3<<20), w.Call(write), w.Drop())
	})})
	return append(all, vectors...), nil
}

// results that are too large, too many or too deep.
func (b *bench) results() ([]trial, error) {
	repeated := func(begin, item string, n int, end string) []byte {
		return worker(pagesMiB, func(m *w.Module) []byte {
			write := output(m)
			m.Data(0, []byte(begin))
			m.Data(page, []byte(strings.Repeat(item, page/len(item))))
			m.Data(2*page, []byte(end))
			batch := page / len(item)
			put := func(at, n int) []byte { return w.Code(w.I32(int32(at)), w.I32(int32(n)), w.Call(write), w.Drop()) }
			return w.Code(put(0, len(begin)), w.I32(int32(n/batch)), w.Set(localCount),
				w.Block(0x40, w.Loop(
					w.Get(localCount), isZero, w.BrIf(1), put(page, batch*len(item)),
					w.Get(localCount), w.I32(1), sub, w.Set(localCount))),
				put(page, n%batch*len(item)), put(2*page, len(end)), w.I32(0))
		})
	}
	refused := func(limit, text string) []refusal {
		return []refusal{{"tool error", limit, "The tool's answer was refused: " + text + ". See `writ audit --call ID`."}}
	}
	const block = `{"type":"text","text":"x"}`
	logged := worker(pagesMiB+1, func(m *w.Module) []byte {
		log, write := logging(m), output(m)
		m.Data(0, []byte(ok))
		return w.Code(w.I32(page), w.I32('x'), w.I32(1<<20), w.Fill(), w.I32(page+3000), w.I32('\n'), store8,
			// Lines that do not fill what is kept to the byte, then the gigabyte.
			bytes.Repeat(w.Code(w.I32(1), w.I32(page), w.I32(8<<10), w.Call(log), w.Drop()), 20), w.I32(1000), w.Set(localCount),
			w.Block(0x40, w.Loop(
				w.Get(localCount), isZero, w.BrIf(1), w.I32(1), w.I32(page), w.I32(1<<20), w.Call(log), w.Drop(),
				w.Get(localCount), w.I32(1), sub, w.Set(localCount))),
			answer(write, 0, int32(len(ok))))
	})
	var all []trial
	for i, r := range []struct {
		name   string
		module []byte
		want   []refusal
		after  func(*process, []answered) error
	}{
		{"a hundred megabytes", repeated(`{"content":[`, block+",", 100<<20/len(block), block+"]}"), limited("output", "the result is larger than the 4 MiB that are granted"), nil},
		{"a million items", repeated(`{"content":[`, "{},", 1_000_000, "{}]}"), refused("result_values", "it has more than 200000 values"), nil},
		{"a thousand and one blocks", repeated(`{"content":[`, block+",", 1000, block+"]}"), refused("result_blocks", "content has 1001 blocks; at most 1000 are allowed"), nil},
		{"nested 100,000 deep", repeated(`{"content":`, "[", 100_000, ""), refused("result_depth", "it is nested deeper than 40"), nil},
		{"a log line of a gigabyte", logged, []refusal{{"ok", "", "ok"}}, cutLogs},
	} {
		all = append(all, trial{
			name: r.name, calls: b.times(48, 8), parallel: 8, want: r.want, after: r.after,
			servlet: servlet{alias: fmt.Sprint("result", i), module: r.module, limits: capabilities.Limits{MemoryMB: 2, WallMS: 10_000, ResultKB: 4096}},
		})
	}
	return all, nil
}

// cutLogs wants logs of a call at their limit, and the host's word that something is missing.
func cutLogs(_ *process, answers []answered) error {
	for _, a := range answers {
		if a.Logs > 64<<10 || !strings.Contains(a.LastLog, "bytes of log were dropped; a call keeps 64 KiB") {
			return fmt.Errorf("%d bytes of log are kept; the last line is %.100q", a.Logs, a.LastLog)
		}
	}
	return nil
}
