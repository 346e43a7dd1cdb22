package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
)

// code is a compiled servlet: *sandbox.Code.
type code interface {
	Run(ctx context.Context, call sandbox.Call) sandbox.Outcome
	Start() sandbox.Start
	Close(ctx context.Context) error
}

var _ code = (*sandbox.Code)(nil)

// loader keeps servlets by the digest of their file. The code that it hands out was checked against
// that digest, the signature and the gates in this process: a blob that was changed on disk is never
// run. What it says of a servlet without its code is what was signed.
type loader struct {
	store   store
	engine  *sandbox.Engine
	compile func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error)
	log     *slog.Logger
	max     int
	idle    time.Duration
	slots   slots // for loads

	life context.Context // of loads that wait for a slot, of who waits for a load, and of the sweeper; ends with stop
	end  context.CancelFunc
	work sync.WaitGroup // loads under way, the sweeper and foresight

	mu       sync.Mutex
	servlets map[string]*servlet    // guarded by mu
	loaded   map[string]*loaded     // guarded by mu
	flights  map[string]*flight     // guarded by mu
	failures map[string]*failedLoad // guarded by mu; by digest
	clock    uint64                 // guarded by mu; counts uses
	closed   bool                   // guarded by mu; what lands now is freed
}

// loaded is compiled code and who uses it.
type loaded struct {
	*servlet
	code code
	refs int       // guarded by loader.mu
	used uint64    // guarded by loader.mu
	left time.Time // guarded by loader.mu; when the last call was over
}

// flight is one load for all who wait for it.
type flight struct {
	slot *slot
	done chan struct{}
	err  error // set before done is closed
}

func newLoader(s store, engine *sandbox.Engine, log *slog.Logger, learns bool, max int, idle time.Duration) *loader {
	l := &loader{
		store: s, engine: engine, compile: compileWith(engine, log, learns),
		log: log, max: max, idle: idle,
		servlets: map[string]*servlet{}, loaded: map[string]*loaded{}, flights: map[string]*flight{}, failures: map[string]*failedLoad{},
	}
	l.life, l.end = context.WithCancel(context.Background())
	l.work.Go(l.sweep)
	return l
}

// acquire returns a compiled servlet; the first of many callers compiles it, once. release must be
// called when the call is over. A load that failed is tried again by a call after a while, or after any
// change of the registry.
func (l *loader) acquire(ctx context.Context, by capabilities.Caller, digest string) (s *loaded, release func(), err error) {
	for {
		if s := l.take(digest); s != nil {
			return s, func() { l.release(s) }, nil
		}
		f := l.fly(digest, sharer(by))
		select {
		case <-f.done:
			if f.err != nil {
				return nil, nil, f.err
			}
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-l.life.Done():
			return nil, nil, errClosing
		}
	}
}

func (l *loader) take(digest string) *loaded {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.loaded[digest]
	if s != nil {
		s.refs++
		l.clock++
		s.used = l.clock
	}
	return s
}

func (l *loader) release(s *loaded) {
	l.mu.Lock()
	s.refs--
	s.left = time.Now()
	idle := l.surplus("")
	l.mu.Unlock()
	l.free(idle)
}

// fly joins the load of a servlet, or starts it. It runs on a goroutine of its own: a caller who gives
// up does not spoil it for the others.
func (l *loader) fly(digest, caller string) *flight {
	generation := l.store.Generation()
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[digest]; f != nil {
		l.slots.join(f.slot, caller)
		return f
	}
	f := &flight{slot: newSlot(caller), done: make(chan struct{})}
	if l.loaded[digest] != nil { // landed meanwhile
		close(f.done)
		return f
	}
	if f.err = l.failing(digest, generation); f.err != nil {
		close(f.done)
		return f
	}
	l.flights[digest] = f
	l.work.Go(func() {
		s, took, err := l.load(digest, f.slot)
		l.mu.Lock()
		delete(l.flights, digest)
		l.note(digest, generation, took, err)
		var idle []code
		if err == nil && l.closed {
			idle, err = []code{s.code}, errClosing
		}
		if f.err = err; err == nil {
			l.clock++
			s.used, s.left = l.clock, time.Now()
			s.refs = 1 // until it is remembered: of code that was freed nothing is known
			l.loaded[digest] = s
			idle = l.surplus(digest)
		}
		close(f.done)
		l.mu.Unlock()
		l.free(idle)
		if err == nil {
			l.remember(digest, s) // nobody waits for it
			l.release(s)
		}
	})
	return f
}

// load waits for a slot and loads a servlet, and says what it took from then on.
func (l *loader) load(digest string, at *slot) (s *loaded, took time.Duration, err error) {
	var began time.Time
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("panic while loading a servlet", "digest", digest, "panic", p)
			s, err = nil, errPanic
		}
		if !began.IsZero() {
			took = time.Since(began)
		}
		if err != nil && l.life.Err() != nil {
			err = errClosing // not the file's fault
		}
	}()
	ctx := l.life
	if !l.slots.enter(ctx, at, l.effort(digest)) {
		return nil, 0, errClosing
	}
	defer l.slots.leave(at)
	began = time.Now()
	// Its code is fetched from the cache while its file is read and verified.
	if stated, err := l.read(ctx, digest); err == nil {
		defer l.engine.Expect(stated.manifest.Module.SHA256)()
	}
	v, module, err := l.verify(ctx, digest)
	if err != nil {
		return nil, 0, err
	}
	c, err := l.compile(ctx, module, v.manifest)
	if err != nil {
		return nil, 0, fmt.Errorf("compiling servlet: %w", err)
	}
	return &loaded{servlet: v, code: c}, 0, nil
}

// effort is what a load of a servlet takes, going by the last one. One that started well then, and does
// not now, is untried the next time.
func (l *loader) effort(digest string) effort {
	if start, ok := l.engine.Remembered(digest); ok && start.Rung != sandbox.RungPlain {
		return tried
	}
	return untried
}

// surplus takes out of the map what is above the limit and idle, longest unused first. keep has just
// been loaded for someone who did not take it yet. l.mu is held.
func (l *loader) surplus(keep string) []code {
	var out []code
	for len(l.loaded) > l.max {
		oldest := ""
		for digest, s := range l.loaded {
			if s.refs == 0 && digest != keep && (oldest == "" || s.used < l.loaded[oldest].used) {
				oldest = digest
			}
		}
		if oldest == "" {
			break
		}
		out = append(out, l.loaded[oldest].code)
		delete(l.loaded, oldest)
	}
	return out
}

// foresight is for how long code is kept that was loaded without being asked for.
const foresight = time.Minute

// foresee loads the code that was used last, before anybody asks. None of it runs before a call does.
func (l *loader) foresee() {
	l.work.Go(func() {
		defer l.engine.ExpectLast()()
		timer := time.NewTimer(foresight)
		defer timer.Stop()
		select {
		case <-l.life.Done():
		case <-timer.C:
		}
	})
}

// sweep unloads what no call has used for a while: its code, and the instances and the image that wait
// for the next call.
func (l *loader) sweep() {
	tick := time.NewTicker(max(l.idle/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-l.life.Done():
			return
		case now := <-tick.C:
			l.free(l.unused(now))
		}
	}
}

// unused takes out of the map what has been idle for long.
func (l *loader) unused(now time.Time) []code {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []code
	for digest, s := range l.loaded {
		if s.refs == 0 && now.Sub(s.left) >= l.idle {
			out = append(out, s.code)
			delete(l.loaded, digest)
		}
	}
	return out
}

func (l *loader) free(idle []code) {
	for _, c := range idle {
		if err := c.Close(context.Background()); err != nil {
			l.log.Warn("freeing code", "error", err)
		}
	}
}

// stop ends what waits for a load, and loads that have not begun.
func (l *loader) stop() { l.end() }

// land waits for the loads under way until ctx ends, and says how many are left. What those make is
// freed as it comes.
func (l *loader) land(ctx context.Context) (left int) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	landed := make(chan struct{})
	go func() {
		l.work.Wait()
		close(landed)
	}()
	if within(ctx, landed) {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.flights)
}

// close frees all code. No call may run and no load be under way.
func (l *loader) close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for digest, s := range l.loaded {
		errs = append(errs, s.code.Close(ctx))
		delete(l.loaded, digest)
	}
	return errors.Join(errs...)
}
