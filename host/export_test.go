package host

import (
	"context"
	"errors"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox"
)

// Store, Warden and Code are what tests put something faulty in the place of.
type (
	Store  = store
	Warden = warden
	Code   = code
)

// NewOver makes a Host over a store of the test's own. Its callers may call as often as they like unless
// cfg says otherwise: most tests are no agents.
func NewOver(cfg Config, s Store) *Host {
	if cfg.Rate == (Rate{}) {
		cfg.Rate.Off = true
	}
	return newHost(cfg, s)
}

// Guard replaces how guards are made.
func (h *Host) Guard(wrap func(Warden) Warden) {
	made := h.open
	h.open = func(cfg guard.Config) (warden, error) {
		w, err := made(cfg)
		if err != nil {
			return nil, err
		}
		return wrap(w), nil
	}
}

// NoGuard makes every guard fail.
func (h *Host) NoGuard(err error) {
	h.open = func(guard.Config) (warden, error) { return nil, err }
}

// Runner replaces how compiled code runs.
func (h *Host) Runner(run func(ctx context.Context, call sandbox.Call) sandbox.Outcome) {
	made := h.loader.compile
	h.loader.compile = func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error) {
		c, err := made(ctx, module, m)
		if err != nil {
			return nil, err
		}
		return runner{c, run}, nil
	}
}

// Compiles counts compilations from now on. None is spared because the host closes: a compiler that
// has begun is not interrupted.
func (h *Host) Compiles(count func()) {
	made := h.loader.compile
	h.loader.compile = func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error) {
		count()
		return made(context.WithoutCancel(ctx), module, m)
	}
}

// Loads tells of each load that has its slot, by the name of the servlet, before it is compiled.
func (h *Host) Loads(tell func(name string)) {
	made := h.loader.compile
	h.loader.compile = func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error) {
		tell(m.Name)
		return made(ctx, module, m)
	}
}

// Loaded is how many servlets are compiled now.
func (h *Host) Loaded() int {
	h.loader.mu.Lock()
	defer h.loader.mu.Unlock()
	return len(h.loader.loaded)
}

// Loading is how many servlets are compiled now, or wait for it.
func (h *Host) Loading() int {
	h.loader.mu.Lock()
	defer h.loader.mu.Unlock()
	return len(h.loader.flights)
}

// Lanes are the turns of calls.
type Lanes = lanes

// NewLanes makes turns: so many calls of a servlet, of a caller, of all; bytes of memory; waiting calls.
func NewLanes(servlet, caller, total int, memory int64, waiting int) *Lanes {
	return newLanes(bounds{servlet, caller, total, memory, waiting})
}

// Enter is what a call does before it runs; leave is called afterwards.
func (l *lanes) Enter(ctx context.Context, caller, servlet string, bytes int64) (leave func(), err error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(1000 * time.Hour)
	}
	return l.enter(ctx, until, caller, servlet, bytes)
}

// Waiting is how many calls wait.
func (l *lanes) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Idle tells whether nothing is counted any more.
func (l *lanes) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.common == share{} && l.spare == share{} && l.waits+len(l.queue)+len(l.running)+len(l.callers)+len(l.servlets) == 0
}

// LimitOf is the limit that an error of Enter names; empty: none.
func LimitOf(err error) Limit {
	var b busy
	if !errors.As(err, &b) {
		return ""
	}
	return b.limit
}

// WaitingForTurn is how many calls have all they need to run but a turn.
func (h *Host) WaitingForTurn() int { return h.lanes.Waiting() }

// Running is how many calls are under way.
func (h *Host) Running() int { return len(h.calls.list()) }

type runner struct {
	code
	run func(ctx context.Context, call sandbox.Call) sandbox.Outcome
}

func (r runner) Run(ctx context.Context, call sandbox.Call) sandbox.Outcome { return r.run(ctx, call) }

// The pure parts.
var (
	CleanText = cleanText
	MembersOf = membersOf
	ItemsOf   = itemsOf
	Define    = define
	BudgetFor = budgetFor
)

// ReadResult checks a guest's output and returns what a client gets.
func ReadResult(output []byte) (raw []byte, isError bool, cleaned int, err error) {
	r, err := readResult(output)
	return r.raw, r.isError, r.cleaned, err
}

// Recheck looks the grants of all running calls up again, as every change of the home does.
func (h *Host) Recheck() { h.recheck() }

// PauseAfter is how long a file is not loaded that failed to so often, each time after so long.
func PauseAfter(failures int, took time.Duration) time.Duration {
	l := &loader{failures: map[string]*failedLoad{}}
	for range failures {
		l.note("digest", 0, took, errPanic)
	}
	return time.Until(l.failures["digest"].until)
}

// Details are the details that every call records, empty.
func Details() []any { return []any{intent{}, ending{}} }

// Encoded is how a detail is written; plain is false when that was left to Encode.
func Encoded(detail any) (raw []byte, isPlain bool, err error) {
	o := strictjson.NewObject(nil)
	detail.(plain).write(o)
	_, isPlain = o.Bytes()
	raw, err = encoded(detail)
	return raw, isPlain, err
}

// Accept reads what a guest of an ABI wrote for a tool whose result may have so many KiB.
func Accept(abi string, kb int, output string) (raw []byte, limit Limit, err error) {
	c := &call{
		host: &Host{}, signed: &tool{}, policy: capabilities.Policy{Limits: capabilities.Limits{ResultKB: kb}},
		loaded: &loaded{servlet: &servlet{manifest: capabilities.Manifest{Module: capabilities.Module{ABI: abi}}}},
	}
	raw, err = c.accept([]byte(output))
	var no *refusal
	if errors.As(err, &no) {
		limit = no.limit
	}
	return raw, limit, err
}
