package modules

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var randomness = attack.Row{
	ID:    "A14",
	Title: "randomness that comes again, in calls and from what initialisation captured; clocks fine enough to measure with",
	Mutants: []string{
		"random-fresh", "reseed-generators", "reseed-export", "clock-real", "clock-monotonic", "clock-named", "clock-polled",
	},
	Run: func(r *attack.Report) {
		calls := 20
		if r.Thorough {
			calls = 200
		}
		for _, way := range target.Ways(r) {
			for name, module := range drawers() {
				r.Variant(name+", "+string(way), func() error { return neverAgain(way, module, calls) })
			}
			r.Variant("a generator that is meant to be the same, "+string(way), func() error {
				return thrice(way, generator(true), string(state(0)[:16]))
			})
			r.Variant("clocks, "+string(way), func() error { return coarse(way) })
		}
		for clock, want := range map[uint64]effect.Errno{0: 0, 1: 0, 2: effect.ErrInval, 3: effect.ErrInval, 4: effect.ErrInval, 1<<32 - 1: effect.ErrInval} {
			for _, f := range []string{"clock_time_get", "clock_res_get"} {
				r.Variant(fmt.Sprintf("%s of clock %d", f, clock), func() error {
					args := []uint64{clock, 0, 64}
					if f == "clock_res_get" {
						args = []uint64{clock, 64}
					}
					out, err := target.Run(target.Reset, target.Caller(target.Named(f), ""), target.Call(nil, target.Arguments(args...)...))
					return errors.Join(err, target.Output(out, binary.LittleEndian.AppendUint32(nil, uint32(want))))
				})
			}
			r.Variant(fmt.Sprintf("waiting for clock %d", clock), func() error { return awaited(clock, want) })
		}
	},
}

// drawers answer eight bytes or more that must never come twice, each half by itself.
func drawers() map[string][]byte {
	random := func(m *w.Module) func(at, n int32) []byte {
		f := target.Import(m, "random_get")
		return func(at, n int32) []byte { return w.Code(w.I32(at), w.I32(n), w.Call(f), w.Drop()) }
	}
	drawn := &w.Module{}
	draw, write := random(drawn), target.Import(drawn, "output_write")
	drawn.Memory(w.AtLeast(1))
	drawn.Func("servlet_call", "", "i", draw(0, 8), draw(8, 8), w.I32(0), w.I32(16), w.Call(write), w.Drop(), w.I32(0))

	seeded := &w.Module{}
	draw, write = random(seeded), target.Import(seeded, "output_write")
	seeded.Memory(w.AtLeast(1))
	seeded.Func("_initialize", "", "", draw(0, 16))
	seeded.Func("servlet_reseed", "II", "", w.I32(0), w.Get(0), w.Store64(), w.I32(8), w.Get(1), w.Store64())
	seeded.Func("servlet_call", "", "i", w.I32(0), w.I32(16), w.Call(write), w.Drop(), w.I32(0))
	return map[string][]byte{
		"random_get":                 drawn.Bytes(),
		"a seed behind reseed":       seeded.Bytes(),
		"a generator of Go's layout": generator(false),
	}
}

// generator is a guest with a ChaCha8 generator in its memory as Go's runtime lays it out, filled in initialisation and
// used in the call: 32 outputs, the seed, how many are used, how many there are, the block's number. It has three of them
// ready and takes one by the hour, so that the two captures, whose clocks are an hour and a second apart, differ; one that
// is meant to be the same is always the first. It answers its first outputs.
func generator(same bool) []byte {
	const (
		states  = 3
		size    = 300
		readyAt = 1024
		stateAt = 8192
		hourAt  = 64
	)
	m := &w.Module{}
	clock, write := target.Import(m, "clock_time_get"), target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	for i := range states {
		m.Data(int32(readyAt+i*size), state(byte(i)))
	}
	var which []byte
	if same {
		which = w.I32(0)
	} else { // (time / an hour) % states
		which = w.Code(w.I32(hourAt), w.Load64(), w.I64(int64(time.Hour)), []byte{0x80}, w.I64(states), []byte{0x82, 0xa7})
	}
	m.Func("_initialize", "", "", w.I32(0), w.I64(0), w.I32(hourAt), w.Call(clock), w.Drop(),
		w.I32(stateAt), which, w.I32(size), []byte{0x6c}, w.I32(readyAt), w.Add(), w.I32(size), w.Copy(),
		w.I32(hourAt), w.I64(0), w.Store64())
	m.Func("servlet_call", "", "i", w.I32(stateAt), w.I32(16), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}

// state is a generator that was seeded and not used.
func state(word byte) []byte {
	seed := [32]byte{31: word}
	source := rand.NewChaCha8(seed)
	var p []byte
	for range 32 {
		p = binary.LittleEndian.AppendUint64(p, source.Uint64())
	}
	p = append(p, seed[:]...)
	for _, n := range []uint32{0, 32, 0} {
		p = binary.LittleEndian.AppendUint32(p, n)
	}
	return p
}

// neverAgain calls a module many times and wants every eight bytes of every answer once.
func neverAgain(way target.Way, module []byte, calls int) error {
	code, err := target.Compile(way, module)
	if err != nil {
		return err
	}
	if way == target.Plain && bytes.Equal(module, generator(false)) {
		calls = 1 // nothing is captured, and initialised anew it is what the hour makes it
	}
	seen := map[string]bool{}
	for call := range calls {
		out := code.Run(context.Background(), target.Call(nil))
		if out.Fault != nil || len(out.Output) != 16 {
			return errors.Join(fmt.Errorf("output %x, fault %v", out.Output, out.Fault), code.Close(context.Background()))
		}
		for half := range 2 {
			p := string(out.Output[8*half : 8*half+8])
			if seen[p] {
				err = errors.Join(err, fmt.Errorf("call %d drew %x again", call, p))
			}
			seen[p] = true
		}
	}
	return errors.Join(err, code.Close(context.Background()))
}

// coarse reads both clocks and their resolutions: none is finer than a millisecond.
func coarse(way target.Way) error {
	m := &w.Module{}
	get, resolution, write := target.Import(m, "clock_time_get"), target.Import(m, "clock_res_get"), target.Import(m, "output_write")
	i := w.I32
	read := func(clock, at int32) []byte { return w.Code(i(clock), w.I64(0), i(at), w.Call(get), w.Drop()) }
	m.Memory(w.AtLeast(1))
	m.Func("servlet_call", "", "i", read(0, 0), read(1, 8), i(0), i(16), w.Call(resolution), w.Drop(), i(1), i(24), w.Call(resolution), w.Drop(),
		i(0), i(32), w.Call(write), w.Drop(), i(0))
	code, err := target.Compile(way, m.Bytes())
	if err != nil {
		return err
	}
	for range 10 {
		before := time.Now().Truncate(time.Millisecond)
		out := code.Run(context.Background(), target.Call(nil))
		after := time.Now()
		if out.Fault != nil || len(out.Output) != 32 {
			err = errors.Join(err, fmt.Errorf("output %x, fault %v", out.Output, out.Fault))
			break
		}
		var v [4]int64
		for k := range v {
			v[k] = int64(binary.LittleEndian.Uint64(out.Output[8*k:]))
		}
		const step = int64(time.Millisecond)
		if v[0]%step != 0 || v[1]%step != 0 || v[1] == 0 || v[2] != step || v[3] != step {
			err = errors.Join(err, fmt.Errorf("clocks %d and %d, resolutions %d and %d", v[0], v[1], v[2], v[3]))
		}
		if now := time.Unix(0, v[0]); now.Before(before) || now.After(after) {
			err = errors.Join(err, fmt.Errorf("the guest's time is %v, the host's between %v and %v", now, before, after))
		}
	}
	return errors.Join(err, code.Close(context.Background()))
}

// awaited waits for a clock's next nanosecond, and wants the event to say whether there is such a clock.
func awaited(clock uint64, want effect.Errno) error {
	m := &w.Module{}
	poll, write := target.Import(m, "poll_oneoff"), target.Import(m, "output_write")
	i := w.I32
	m.Memory(w.AtLeast(1))
	m.Data(16, binary.LittleEndian.AppendUint32(nil, uint32(clock)))
	m.Data(24, []byte{1})
	m.Func("servlet_call", "", "i", i(0), i(128), i(1), i(256), w.Call(poll), w.Drop(), i(136), i(2), w.Call(write), w.Drop(), i(0))
	out, err := target.Run(target.Reset, m.Bytes(), target.Call(nil))
	return errors.Join(err, target.Output(out, binary.LittleEndian.AppendUint16(nil, uint16(want))))
}
