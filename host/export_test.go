package host

import (
	"context"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
)

// Store, Warden and Code are what tests put something faulty in the place of.
type (
	Store  = store
	Warden = warden
	Code   = code
)

// NewOver makes a Host over a store of the test's own.
func NewOver(cfg Config, s Store) *Host { return newHost(cfg, s) }

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

// Memory is a budget that calls share.
type Memory = memory

// NewMemory makes a budget of so many bytes.
func NewMemory(budget int64) *Memory { return &memory{budget: budget} }

// Take and Give are what a call does before it runs and afterwards.
func (m *memory) Take(ctx context.Context, bytes int64) error { return m.take(ctx, bytes) }
func (m *memory) Give(bytes int64)                            { m.give(bytes) }

// Waiting is how many wait for a share.
func (m *memory) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue)
}

// Used is how much is given.
func (m *memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// WaitingForMemory is how many calls have all they need to run but memory.
func (h *Host) WaitingForMemory() int { return h.lanes.memory.Waiting() }

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
	Define    = define
	BudgetFor = budgetFor
)

// ReadResult checks a guest's output and returns what a client gets.
func ReadResult(output []byte) (raw []byte, isError bool, cleaned int, err error) {
	r, err := readResult(output)
	return r.raw, r.isError, r.cleaned, err
}
