package sandbox

import (
	"math"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// Bounds of namespace writ1 (sdk/ABI.md, "Limits").
const (
	smallOutput     = 64 << 10
	maxErrorText    = 4 << 10
	maxProgressText = 1 << 10
	maxKey          = 256
	progressEvery   = 100 * time.Millisecond
)

// writ1Functions are the functions of namespace writ1.
func writ1Functions() []function {
	const always capabilities.Kind = ""
	return []function{
		service("input_len", "", always, (*run).inputLen),
		service("input_read", "iii", always, (*run).inputRead),
		service("output_write", "ii", always, (*run).outputWrite),
		service("error_write", "ii", always, (*run).errorWrite),
		service("log", "iii", always, (*run).log),
		service("progress", "FFii", always, (*run).reportProgress),
		service("op_wait", "iiI", always, (*run).opWait),
		service("op_status", "i", always, (*run).opStatus),
		service("op_len", "ii", always, (*run).opLen),
		service("op_read", "iiiii", always, (*run).opRead),
		service("op_close", "i", always, (*run).opClose),
		service("config_get", "iiii", capabilities.KindConfig, (*run).configGet),
		service("http_start", "iiii", capabilities.KindHTTP, (*run).httpStart),
		service("web_start", "iiii", capabilities.KindWeb, (*run).webStart),
		service("kv_start", "iiii", capabilities.KindKV, (*run).kvStart),
		service("elicit_start", "ii", kindElicit, (*run).reserved),
	}
}

// inputLen is input_len() -> i32.
func (r *run) inputLen(args) int32 { return int32(len(r.call.Input)) }

// inputRead is input_read(ptr, len, offset) -> i32.
func (r *run) inputRead(a args) int32 {
	return readAt(r.view(a.u32(0), a.u32(1)), r.call.Input, a.u32(2))
}

// readAt copies src from offset and returns how many bytes there were.
func readAt(dst, src []byte, offset uint32) int32 {
	if uint64(offset) >= uint64(len(src)) {
		return 0
	}
	return int32(copy(dst, src[offset:]))
}

// outputWrite is output_write(ptr, len) -> i32.
func (r *run) outputWrite(a args) int32 {
	p := r.view(a.u32(0), a.u32(1))
	if len(p) > r.call.Limits.Output-len(r.output) {
		r.overflow = true
		return failed(effect.Limit)
	}
	// A large result gets all its room at once: growing leaves as much behind again for the collector.
	if n := len(r.output) + len(p); n > cap(r.output) && n > smallOutput {
		r.output = append(make([]byte, 0, r.call.Limits.Output), r.output...)
	}
	r.output = append(r.output, p...)
	return int32(len(p))
}

// errorWrite is error_write(ptr, len) -> i32. What is above the limit is cut, not refused: half a
// reason is better than none.
func (r *run) errorWrite(a args) int32 {
	p := r.view(a.u32(0), a.u32(1))
	room := min(maxErrorText, r.call.Limits.Output) - len(r.errText)
	p = p[:min(len(p), max(room, 0))]
	r.errText = append(r.errText, p...)
	return int32(len(p))
}

// log is log(level, ptr, len) -> i32.
func (r *run) log(a args) int32 {
	level, p := a.u32(0), r.view(a.u32(1), a.u32(2))
	if level > uint32(effect.Fault) {
		return failed(effect.Invalid)
	}
	r.logs.message(effect.LogLevel(level), p)
	return 0
}

// reportProgress is progress(done, total, ptr, len) -> i32. More reports than one in 100 ms are
// dropped: each becomes a message to a client.
func (r *run) reportProgress(a args) int32 {
	done, total, p := a.f64(0), a.f64(1), r.view(a.u32(2), a.u32(3))
	for _, v := range []float64{done, total} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return failed(effect.Invalid)
		}
	}
	if r.call.Entry != EntryCall {
		return failed(effect.Denied)
	}
	if r.call.Progress == nil {
		return 0
	}
	if now := time.Now(); now.Sub(r.progress) >= progressEvery {
		r.progress = now
		r.call.Progress(done, total, validText(p, maxProgressText))
	}
	return 0
}

// configGet is config_get(key_ptr, key_len, ptr, len) -> i32: the value's length, and the value when
// there is room for all of it.
func (r *run) configGet(a args) int32 {
	key, dst := r.view(a.u32(0), a.u32(1)), r.view(a.u32(2), a.u32(3))
	if len(key) == 0 || len(key) > maxKey {
		return failed(effect.Invalid)
	}
	value, err := r.host.Config(&r.ctx, string(key))
	if err != nil {
		return failed(known(err).Code)
	}
	if len(value) > maxInput {
		return failed(effect.Limit)
	}
	if len(value) <= len(dst) {
		copy(dst, value)
	}
	return int32(len(value))
}

// reserved is a function of the interface that this Writ does not build.
func (r *run) reserved(a args) int32 {
	for i := 0; i+1 < len(a) && i < 4; i += 2 {
		r.view(a.u32(i), a.u32(i+1))
	}
	if r.refusing {
		return failed(effect.Denied)
	}
	return failed(effect.Unsupported)
}

// known returns err with a code that the interface has.
func known(err *effect.Error) *effect.Error {
	if err.Code >= effect.Denied && err.Code <= effect.Internal {
		return err
	}
	return &effect.Error{Code: effect.Internal, Text: err.Text}
}
