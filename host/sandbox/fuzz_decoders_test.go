package sandbox_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
)

// Results of functions of namespace writ1 and of WASI that are compared below.
const (
	invalid  = -int32(effect.Invalid)
	badValue = int32(effect.ErrInval)
)

// FuzzHostCalls calls any functions with any arguments in any order. Nothing may fail the host, and what
// reaches it is sane.
func FuzzHostCalls(f *testing.F) {
	s := newOrders(20)
	name := s.put([]byte("file"))
	iovec := s.put(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, resultsAt+2000), 100))
	s.call("path_open", 3, 1, name, 4, 0, 0x42, 0, 0, resultsAt+1200)
	s.call("fd_read", 4, iovec, 1, resultsAt+1204)
	s.call("fd_write", 4, iovec, 1, resultsAt+1204)
	s.call("fd_pread", 4, iovec, 1, 5, resultsAt+1204)
	s.call("fd_seek", 4, 2, 0, resultsAt+1208)
	s.call("fd_filestat_get", 4, resultsAt+1300)
	s.call("fd_readdir", 3, resultsAt+3000, 500, 0, resultsAt+1204)
	s.call("fd_fdstat_get", 4, resultsAt+1300)
	s.call("fd_prestat_get", 3, resultsAt+1300)
	s.call("fd_prestat_dir_name", 3, resultsAt+1300, 5)
	s.call("path_filestat_set_times", 3, 0, name, 4, 1, 2, 5)
	s.call("path_rename", 3, name, 4, 3, name, 3)
	s.call("fd_close", 4)
	f.Add(s.bytes())
	s = newOrders(12)
	head := []byte(`{"capability":"api","method":"GET","path":"/v1/","query":"a=b","headers":[["accept","text/plain"]]}`)
	request := s.put(head)
	s.call("http_start", request, uint64(len(head)), request, 3)
	s.call("op_wait", resultsAt, 1, 1000)
	s.call("op_status", 1)
	s.call("op_len", 1, 0)
	s.call("op_read", 1, 1, 0, resultsAt+2000, 100)
	s.call("op_close", 1)
	s.call("random_get", resultsAt+2000, 16)
	s.call("clock_time_get", 1, 0, resultsAt+2000)
	s.call("progress", math.Float64bits(1), math.Float64bits(2), request, 4)
	s.call("log", 1, request, uint64(len(head)))
	f.Add(s.bytes())
	f.Add([]byte{byte(calleeIndex("proc_exit")), 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{byte(calleeIndex("environ_sizes_get")), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	p := newPlayer(f)
	p.limits.Wall = 30 * time.Millisecond // sleeps end there
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > puppetSize-inputAt {
			return
		}
		p.play(t, input, nil)
	})
}

// FuzzRequestHead: a request reaches the host exactly when its head is strict JSON of the one form, and
// then as it was written.
func FuzzRequestHead(f *testing.F) {
	for _, head := range []string{
		`{"capability":"api","method":"GET","path":"/v1/","query":"","headers":[["accept","text/plain"],["x","y"]]}`,
		`{"capability":"api"}`, `{"Capability":"api"}`, `{"capability":"a","capability":"b"}`, `{"headers":[["a"]]}`, `{"headers":[["a","b","c"]]}`,
		`{"capability":"\ud800"}`, `[]`, `null`, `{"method":1}`, `{"x":1}`, `{"path":"\u0000"}`, "{}\n", "{} {}", "\ufeff{}", `{"headers":null}`,
	} {
		f.Add([]byte(head), []byte("body"))
	}
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, head, body []byte) {
		if len(head)+len(body) > 100_000 {
			return
		}
		s := newOrders(4)
		h, b := s.put(head), s.put(body)
		s.call("http_start", h, uint64(len(head)), b, uint64(len(body)))
		s.call("op_wait", resultsAt, 1, 1000)
		var host *watchful
		out := p.play(t, s.bytes(), func(c *sandbox.Call) { host = c.Host.(*watchful) })
		if out.memory == nil {
			t.Fatalf("fault %v", out.Fault)
		}
		if started := out.result(0) > 0; started != (len(host.fetched) == 1) {
			t.Fatalf("http_start returned %d, %d requests reached the host", out.result(0), len(host.fetched))
		}
		if len(host.fetched) == 0 {
			return
		}
		var want struct {
			Capability, Method, Path, Query string
			Headers                         [][2]string
		}
		if err := json.Unmarshal(head, &want); err != nil {
			t.Fatalf("a request was made of %q: %v", head, err)
		}
		got := host.fetched[0]
		if got.Capability != want.Capability || got.Method != want.Method || got.Path != want.Path || got.Query != want.Query || !bytes.Equal(got.Body, body) {
			t.Errorf("request %+v of %q", got, head)
		}
		for i, line := range got.Header {
			if len(got.Header) != len(want.Headers) || line.Name != want.Headers[i][0] || line.Value != want.Headers[i][1] {
				t.Fatalf("headers %v of %q", got.Header, head)
			}
		}
	})
}

// FuzzLog: what is logged and what is written to standard output comes out as valid lines, in order, and
// nothing of it is lost without being counted.
func FuzzLog(f *testing.F) {
	f.Add(uint32(1), []byte("one\ntwo\n\nthree"), []byte("partial"))
	f.Add(uint32(9), []byte("\xff\xfe\x00\x1b[2J"), []byte("\n\n\n"))
	f.Add(uint32(3), bytes.Repeat([]byte("é"), 3000), bytes.Repeat([]byte("x\n"), 5000))
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, level uint32, message, written []byte) {
		if len(message)+len(written) > 100_000 {
			return
		}
		s := newOrders(3)
		m, o := s.put(message), s.put(written)
		iovec := s.put(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(o)), uint32(len(written))))
		s.call("log", uint64(level), m, uint64(len(message)))
		s.call("fd_write", 1, iovec, 1, resultsAt+2000)
		out := p.play(t, s.bytes(), nil)
		if out.memory == nil {
			t.Fatalf("fault %v", out.Fault)
		}
		var want []effect.LogLine
		if level <= uint32(effect.Fault) {
			want = lines(effect.LogLevel(level), message)
		} else if out.result(0) != invalid {
			t.Errorf("level %d: %d", level, out.result(0))
		}
		want = append(want, lines(effect.Info, written)...)
		long := func(l effect.LogLine) bool { return len(l.Text) > 4<<10 }
		if len(message)+len(written) < p.limits.Log/4 && !slices.ContainsFunc(want, long) {
			if !slices.Equal(out.Logs, want) || out.Dropped != 0 {
				t.Errorf("lines %q, %d dropped; want %q", out.Logs, out.Dropped, want)
			}
		}
	})
}

// lines are those of a text that have something in them.
func lines(level effect.LogLevel, text []byte) (list []effect.LogLine) {
	for line := range bytes.SplitSeq(text, []byte{'\n'}) {
		if len(line) > 0 {
			list = append(list, effect.LogLine{Level: level, Text: strings.ToValidUTF8(string(line), "\uFFFD")})
		}
	}
	return list
}

// FuzzProgress: a report reaches the caller only with two numbers that are some, and with valid text.
func FuzzProgress(f *testing.F) {
	for _, v := range []float64{0, 0.5, -1, math.NaN(), math.Inf(1), math.MaxFloat64, math.Copysign(0, -1)} {
		f.Add(v, 10.0, []byte("working"))
		f.Add(10.0, v, []byte("\xffworking\n"))
	}
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, done, total float64, text []byte) {
		if len(text) > 100_000 {
			return
		}
		s := newOrders(3)
		at := s.put(text)
		s.call("progress", math.Float64bits(done), math.Float64bits(total), at, uint64(len(text)))
		s.call("progress", math.Float64bits(done), math.Float64bits(total), at, uint64(len(text))) // too soon
		reports := 0
		out := p.play(t, s.bytes(), func(c *sandbox.Call) {
			c.Progress = func(d, n float64, said string) {
				reports++
				if !(d >= 0 && n >= 0) || math.IsInf(d, 0) || math.IsInf(n, 0) || !utf8.ValidString(said) || len(said) > 1<<10 || d != done || n != total {
					t.Errorf("report %v of %v: %q", d, n, said)
				}
			}
		})
		if out.memory == nil {
			t.Fatalf("fault %v", out.Fault)
		}
		if sane := out.result(0) == 0; sane != (reports > 0) || !sane && out.result(0) != invalid || reports > 1 {
			t.Errorf("%v of %v: result %d, %d reports", done, total, out.result(0), reports)
		}
	})
}

// FuzzConfig: a key reaches the host as it is, a value the guest's buffer when there is room for all of
// it, and nothing beyond.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("UNITS"), uint16(100))
	f.Add([]byte(""), uint16(100))
	f.Add(bytes.Repeat([]byte("k"), 257), uint16(0))
	f.Add([]byte("\xff\x00../x"), uint16(3))
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, key []byte, room uint16) {
		if len(key) > 10_000 {
			return
		}
		s := newOrders(2)
		k, buffer := s.put(key), s.put(bytes.Repeat([]byte{0xa5}, 1<<16))
		s.call("config_get", k, uint64(len(key)), buffer, uint64(room))
		var host *watchful
		out := p.play(t, s.bytes(), func(c *sandbox.Call) { host = c.Host.(*watchful) })
		if out.memory == nil {
			t.Fatalf("fault %v", out.Fault)
		}
		want := bytes.Repeat([]byte{0xa5}, 1<<16)
		switch value := "value of " + string(key); {
		case len(key) == 0 || len(key) > 256:
			if out.result(0) != invalid || len(host.keys) > 0 {
				t.Errorf("key of %d bytes: %d", len(key), out.result(0))
			}
		case !slices.Equal(host.keys, []string{string(key)}) || out.result(0) != int32(len(value)):
			t.Errorf("keys %q, result %d", host.keys, out.result(0))
		case len(value) <= int(room):
			copy(want, value)
		}
		if !bytes.Equal(out.at(buffer, 1<<16), want) {
			t.Error("the buffer has something else in it")
		}
	})
}

// FuzzOutput: the output is what was written, piece by piece, or the call ends at its limit.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("one two three"), uint8(3), uint16(100))
	f.Add(bytes.Repeat([]byte("x"), 5000), uint8(200), uint16(4999))
	f.Add([]byte{}, uint8(1), uint16(0))
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, text []byte, piece uint8, limit uint16) {
		if len(text) > 20_000 {
			return
		}
		size := max(int(piece), len(text)/100+1)
		s := newOrders(len(text)/size + 3)
		at := s.put(text)
		for from := 0; from < len(text); from += size {
			s.call("output_write", at+uint64(from), uint64(min(size, len(text)-from)))
		}
		input := slices.Concat(s.calls, []byte{0xff}, make([]byte, s.room-len(s.calls)-1), s.data)
		out := p.play(t, input, func(c *sandbox.Call) { c.Limits.Output = int(limit) })
		switch {
		case len(text) == 0:
			wantFault(t, out.Outcome, sandbox.FaultABI, "servlet_call returned without an output")
		case len(text) > int(limit):
			if out.Fault == nil || out.Fault.Limit != sandbox.LimitOutput {
				t.Errorf("%d bytes, limit %d: fault %v", len(text), limit, out.Fault)
			}
		case out.Fault != nil || !bytes.Equal(out.Output, text):
			t.Errorf("output %q, fault %v", out.Output, out.Fault)
		}
	})
}

// FuzzPath: a path reaches the host as it is, or not at all, when it is no text of sane length.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"file", "", ".", "../../etc/passwd", "/", "a//b", "a\x00b", "\xff", strings.Repeat("x", 4097), "größe", "dir/", "nul\\x:y"} {
		f.Add([]byte(path))
	}
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, path []byte) {
		if len(path) > 50_000 {
			return
		}
		calls := map[string][]uint64{
			"path_filestat_get": {3, 1, 0, 0, resultsAt + 2000}, "path_open": {3, 0, 0, 0, 0, 2, 0, 0, resultsAt + 2000},
			"path_create_directory": {3, 0, 0}, "path_unlink_file": {3, 0, 0}, "path_remove_directory": {3, 0, 0},
			"path_readlink": {3, 0, 0, resultsAt + 3000, 10, resultsAt + 2000},
		}
		wanted := len(path) > 0 && len(path) <= 4096 && utf8.Valid(path) && bytes.IndexByte(path, 0) < 0
		for name, args := range calls {
			s := newOrders(2)
			at := slices.IndexFunc(args[1:], func(v uint64) bool { return v == 0 }) + 1
			if name == "path_open" {
				at = 2
			}
			args[at], args[at+1] = s.put(path), uint64(len(path))
			s.call(name, args...)
			var host *watchful
			out := p.play(t, s.bytes(), func(c *sandbox.Call) { host = c.Host.(*watchful) })
			if out.memory == nil {
				t.Fatalf("%s: fault %v", name, out.Fault)
			}
			reached := slices.Equal(host.paths, []string{string(path)})
			if reached != wanted || !wanted && (len(host.paths) > 0 || out.result(0) == 0) {
				t.Errorf("%s of %q: result %d, the host saw %q", name, path, out.result(0), host.paths)
			}
		}
	})
}

// FuzzBuffers: a list of buffers anywhere in memory is written and read back in order, or refused as a
// whole.
func FuzzBuffers(f *testing.F) {
	iovec := func(pairs ...uint32) (b []byte) {
		for _, v := range pairs {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	f.Add(iovec(inputAt, 10, inputAt+5, 20), uint32(2))
	f.Add(iovec(0, 0, 0xffff_fff0, 16), uint32(2))
	f.Add(iovec(puppetSize-4, 4, puppetSize, 0), uint32(2))
	f.Add(iovec(0, 0xffff_ffff), uint32(1))
	f.Add(iovec(0, puppetSize), uint32(0xffff_ffff))
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, list []byte, count uint32) {
		if len(list) > 9000 {
			return
		}
		s := newOrders(3)
		name, at := s.put([]byte("new")), s.put(list)
		s.call("path_open", 3, 0, name, 3, 1, 0x42, 0, 0, resultsAt+2000)
		s.call("fd_write", 4, at, uint64(count), resultsAt+2004)
		input := s.bytes()
		var host *watchful
		out := p.play(t, input, func(c *sandbox.Call) { host = c.Host.(*watchful) })
		if out.memory == nil {
			if out.Fault.Kind != sandbox.FaultABI {
				t.Errorf("fault %v", out.Fault)
			}
			return // a range outside of its memory
		}
		written := host.memory.nodes["new"].data
		if out.result(1) != 0 {
			if out.result(1) != badValue || len(written) > 0 {
				t.Errorf("errno %d, %d bytes were written", out.result(1), len(written))
			}
			return
		}
		// The guest's memory as it was: its input, and the result of the first call.
		image := make([]byte, puppetSize)
		copy(image[inputAt:], input)
		binary.LittleEndian.PutUint32(image[resultsAt+2000:], 4)
		var want []byte
		for i := range int(count) {
			from, n := binary.LittleEndian.Uint32(image[int(at)+8*i:]), binary.LittleEndian.Uint32(image[int(at)+8*i+4:])
			want = append(want, image[from:from+n]...)
		}
		if !bytes.Equal(written, want) || binary.LittleEndian.Uint32(out.memory[resultsAt+2004:]) != uint32(len(want)) {
			t.Errorf("%d bytes were written, want %d", len(written), len(want))
		}
	})
}

// FuzzPoll: each event answers a subscription that was made, and the wait ends with the call's time.
func FuzzPoll(f *testing.F) {
	clock := func(userdata, id uint64, timeout uint64, flags byte) []byte {
		b := make([]byte, 48)
		binary.LittleEndian.PutUint64(b, userdata)
		binary.LittleEndian.PutUint32(b[16:], uint32(id))
		binary.LittleEndian.PutUint64(b[24:], timeout)
		b[40] = flags
		return b
	}
	file := func(userdata uint64, kind byte, fd uint32) []byte {
		b := make([]byte, 48)
		binary.LittleEndian.PutUint64(b, userdata)
		b[8] = kind
		binary.LittleEndian.PutUint32(b[16:], fd)
		return b
	}
	f.Add(slices.Concat(clock(7, 1, 1000, 0), clock(8, 0, 0, 1)), uint32(2))
	f.Add(slices.Concat(clock(7, 1, math.MaxUint64, 0), file(9, 1, 3)), uint32(2))
	f.Add(slices.Concat(file(1, 2, 1), file(2, 1, 77), file(3, 9, 0)), uint32(3))
	f.Add(clock(7, 5, 1, 0), uint32(1))
	f.Add([]byte{}, uint32(0))
	f.Add(clock(1, 1, 3_600_000_000_000, 0), uint32(1))
	p := newPlayer(f)
	p.limits.Wall = 30 * time.Millisecond
	f.Fuzz(func(t *testing.T, subscriptions []byte, count uint32) {
		if len(subscriptions) > 60_000 {
			return
		}
		s := newOrders(2)
		in := s.put(subscriptions)
		events := s.put(make([]byte, 64<<10))
		s.call("poll_oneoff", in, events, uint64(count), resultsAt+2000)
		input := s.bytes()
		out := p.play(t, input, nil)
		if out.memory == nil {
			if k := out.Fault.Kind; k != sandbox.FaultABI && k != sandbox.FaultDeadline {
				t.Errorf("fault %v", out.Fault)
			}
			return
		}
		n := binary.LittleEndian.Uint32(out.memory[resultsAt+2000:])
		if out.result(0) != 0 {
			if out.result(0) != badValue {
				t.Errorf("errno %d", out.result(0))
			}
			return
		}
		if n == 0 || n > count {
			t.Fatalf("%d events of %d subscriptions", n, count)
		}
		asked := map[[2]uint64]int{}
		for i := range int(count) {
			sub := input[int(in)-inputAt+48*i:] // as it was: the events may lie over it
			asked[[2]uint64{binary.LittleEndian.Uint64(sub), uint64(sub[8])}]++
		}
		for i := range int(n) {
			e := out.at(events+uint64(32*i), 32)
			key := [2]uint64{binary.LittleEndian.Uint64(e), uint64(e[10])}
			if asked[key]--; asked[key] < 0 {
				t.Errorf("an event that nobody asked for: %x", e)
			}
		}
	})
}

// FuzzReadDir: however large the buffer, the entries that a guest puts together out of many calls are
// those of the host, each once and in order.
func FuzzReadDir(f *testing.F) {
	f.Add("a b c", uint16(100))
	f.Add("file größe "+strings.Repeat("x", 300)+" .hidden", uint16(25))
	f.Add("", uint16(4000))
	f.Add("\x00 \n \xff", uint16(64))
	p := newPlayer(f)
	f.Fuzz(func(t *testing.T, names string, room uint16) {
		list := strings.Fields(names)
		slices.Sort(list)
		list = slices.Compact(list)
		longest := 0
		for _, name := range list {
			longest = max(longest, len(name))
		}
		if strings.Contains(names, "/") || len(list) > 50 || slices.ContainsFunc(list, func(s string) bool { return s == "." || s == ".." }) || int(room) < 24+longest || room > 30_000 {
			return
		}
		var got []string
		for cookie := uint64(0); ; {
			s := newOrders(2)
			buffer := s.put(make([]byte, room))
			s.call("fd_readdir", 3, buffer, uint64(room), cookie, resultsAt+2000)
			out := p.play(t, s.bytes(), func(c *sandbox.Call) {
				host := c.Host.(*watchful)
				delete(host.memory.nodes, "file")
				for i, name := range list {
					host.memory.nodes[name] = &node{inode: uint64(100 + i)}
				}
			})
			if out.memory == nil || out.result(0) != 0 {
				t.Fatalf("fault %v", out.Fault)
			}
			used := binary.LittleEndian.Uint32(out.memory[resultsAt+2000:])
			if used > uint32(room) {
				t.Fatalf("%d bytes in a buffer of %d", used, room)
			}
			entries := out.at(buffer, int(used))
			for len(entries) >= 24 {
				n := int(binary.LittleEndian.Uint32(entries[16:]))
				if len(entries) < 24+n {
					break // cut
				}
				got = append(got, string(entries[24:24+n]))
				cookie = binary.LittleEndian.Uint64(entries)
				entries = entries[24+n:]
			}
			if used < uint32(room) {
				break
			}
		}
		if !slices.Equal(got, list) {
			t.Errorf("names %q, want %q", got, list)
		}
	})
}
