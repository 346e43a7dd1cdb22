package sandbox

import (
	"context"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox/extism"
)

// consumed copies a block that the plug-in hands over, at most so many bytes of it. The block is the
// host's from then on: give takes it back when the answer has its own.
func (r *run) consumed(at uint64, most int) (p []byte, give func()) {
	p, ok := r.kernel().Read(at, most)
	r.offset(ok)
	return p, func() { r.kernel().Free(at) }
}

// handed makes a block for the plug-in, which is its to free.
func (r *run) handed(p []byte) uint64 {
	at, ok := r.kernel().Write(p)
	r.room(ok)
	return at
}

// extismConfigGet answers the value of a setting; 0: it has none, is not declared or not of this tool.
func (r *run) extismConfigGet(a args) uint64 {
	key, give := r.consumed(a.u64(0), maxKey+1)
	defer give()
	if len(key) == 0 || len(key) > maxKey {
		return 0
	}
	value, err := r.host.Config(&r.ctx, extism.Key(validText(key, maxKey)))
	if err != nil {
		return 0
	}
	return r.handed([]byte(value))
}

func (r *run) extismVarGet(a args) uint64 {
	name, give := r.consumed(a.u64(0), extism.MaxVars)
	defer give()
	value, ok := r.kernel().Var(string(name))
	if !ok {
		return 0
	}
	return r.handed(value)
}

func (r *run) extismVarSet(a args) uint64 {
	name, give := r.consumed(a.u64(0), extism.MaxVars)
	defer give()
	if a.u64(1) == 0 {
		r.kernel().RemoveVar(string(name))
		return 0
	}
	value, giveValue := r.consumed(a.u64(1), extism.MaxVars)
	defer giveValue()
	if !r.kernel().SetVar(string(name), value) {
		r.stopAt(LimitMemory, "the plug-in keeps more than "+size(extism.MaxVars)+" in variables")
	}
	return 0
}

// extismTrace drops what is below the level that get_log_level answers.
func (r *run) extismTrace(a args) uint64 {
	_, give := r.consumed(a.u64(0), 0)
	give()
	return 0
}

func extismLog(level effect.LogLevel) func(*run, args) uint64 {
	return func(r *run, a args) uint64 {
		line, give := r.consumed(a.u64(0), looksPerByte*max(r.call.Limits.Log, 0))
		if n := r.kernel().Length(a.u64(0)); n > uint64(len(line)) {
			r.logs.dropped += int(n) - len(line)
		}
		r.logs.message(level, line)
		give()
		return 0
	}
}

// extismRequest does one HTTP exchange. In other hosts a request that is refused or gets no answer ends
// the plug-in, and kits have no way to read why; here it does so too, and the model is told.
func (r *run) extismRequest(a args) uint64 {
	head, giveHead := r.consumed(a.u64(0), maxHead+1)
	defer giveHead()
	var body []byte
	if at := a.u64(1); at != 0 {
		var giveBody func()
		body, giveBody = r.consumed(at, maxBody+1)
		defer giveBody()
	}
	r.foreign.status, r.foreign.headers = 0, nil
	if len(head) > maxHead || len(body) > maxBody {
		r.refuse("it is too large")
	}
	req, err := extism.Request(head)
	if err != nil {
		r.refuse(err.Error())
	}
	req.Body = body
	var resp effect.HTTPResponse
	r.await(int64(len(head)+len(body)), func(ctx context.Context) result {
		var ferr *effect.Error
		if resp, ferr = r.host.Fetch(ctx, req); ferr != nil {
			return result{err: known(ferr)}
		}
		return result{body: resp.Body}
	})
	headers, err := extism.Headers(resp.Header)
	if err != nil {
		r.refuse("the answer's head could not be encoded")
	}
	r.foreign.status, r.foreign.headers = uint32(resp.Status), headers
	return r.handed(resp.Body)
}

// refuse ends the plug-in with a reason that the model is told.
func (r *run) refuse(reason string) {
	r.stop(FaultTool, "an HTTP request of the plug-in was refused: "+reason)
}

// await does what takes time, as an operation that is waited for at once: it ends with the call, and what
// it holds is counted.
func (r *run) await(size int64, do func(context.Context) result) {
	id := r.start(size, do)
	if id < 0 {
		r.stopAt(LimitMemory, "the plug-in asked for more at a time than its memory holds")
	}
	for !r.ops.open[id].finished() {
		r.leaveTurn()
		select {
		case <-r.ops.wake:
		case <-r.ctx.Done():
			r.stopEnded()
		}
	}
	if r.ops.panicked.Load() {
		panic(errStopped)
	}
	err := r.ops.open[id].result.err
	r.opClose(args{uint64(id)})
	if err != nil {
		r.refuse(err.Text)
	}
}

func (r *run) extismStatus(args) uint64 { return uint64(r.foreign.status) }

// extismHeaders answers the header of the last answer; 0: there was none.
func (r *run) extismHeaders(args) uint64 { return r.handed(r.foreign.headers) }
