package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
)

// servlet is what a verified servlet file says, without its code.
type servlet struct {
	manifest capabilities.Manifest
	digest   string // of the manifest
	key      string // id of the key that signed
	tools    []*tool
}

// tool is a signed tool with its schemas, compiled at the first use: a list needs none of them, and
// one that is refused concerns its own tool alone.
type tool struct {
	capabilities.Tool
	input  func() (*schema.Schema, error)
	output func() (*schema.Schema, error) // nil: the tool promises no structure
}

func (s *servlet) tool(name string) *tool {
	for _, t := range s.tools {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// code is a compiled servlet: *sandbox.Code.
type code interface {
	Run(ctx context.Context, call sandbox.Call) sandbox.Outcome
	Close(ctx context.Context) error
}

var _ code = (*sandbox.Code)(nil)

// loader keeps servlets, verified and compiled, by the digest of their file. What it hands out was
// checked against that digest, the signature and the gates in this process: a blob that was changed
// on disk is never run.
type loader struct {
	store   store
	compile func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error)
	log     *slog.Logger
	max     int
	slots   chan struct{} // one for each load that may be under way

	life context.Context // of loads that wait for a slot and of who waits for a load; ends with stop
	end  context.CancelFunc
	work sync.WaitGroup // loads under way

	mu       sync.Mutex
	servlets map[string]*servlet // guarded by mu
	loaded   map[string]*loaded  // guarded by mu
	flights  map[string]*flight  // guarded by mu
	clock    uint64              // guarded by mu; counts uses
	closed   bool                // guarded by mu; what lands now is freed
}

// maxLoads is how many servlets are compiled at a time. Each takes a processor for about a second and
// hundreds of megabytes; a caller who names many servlets at once must not get all that at once.
const maxLoads = 2

// maxServlets bounds the manifests that are kept. Above it all are read again.
const maxServlets = 1024

// loaded is compiled code and who uses it.
type loaded struct {
	*servlet
	code code
	refs int    // guarded by loader.mu
	used uint64 // guarded by loader.mu
}

// flight is one load for all who wait for it.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

func newLoader(s store, engine *sandbox.Engine, log *slog.Logger, max int) *loader {
	l := &loader{
		store: s, log: log, max: max, compile: compileWith(engine, log), slots: make(chan struct{}, maxLoads),
		servlets: map[string]*servlet{}, loaded: map[string]*loaded{}, flights: map[string]*flight{},
	}
	l.life, l.end = context.WithCancel(context.Background())
	return l
}

// compileWith gates a module again before it compiles it: what install let pass, an older Writ may
// have let pass. Then its init and warm-up run, in the one place that is after every approval, and no
// caller's time is spent on them.
func compileWith(engine *sandbox.Engine, log *slog.Logger) func(context.Context, []byte, capabilities.Manifest) (code, error) {
	return func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error) {
		admitted, err := sandbox.Admit(module, m.Module.ABI, m.Capabilities.Kinds())
		if err != nil {
			return nil, err
		}
		c, err := engine.Compile(ctx, admitted)
		if err != nil {
			return nil, err
		}
		if err := c.Prepare(ctx, preopens(m), int64(capabilities.EffectiveLimits(m.Limits).MemoryMB)<<20); err != nil {
			log.Info("servlet is initialised for each call", "servlet", m.Name, "reason", err)
		}
		return c, nil
	}
}

// preopens are a manifest's directories as the guard shows them to every call.
func preopens(m capabilities.Manifest) []effect.Preopen {
	var all []effect.Preopen
	for i, fs := range m.Capabilities.FS {
		all = append(all, effect.Preopen{Handle: effect.FirstHandle + effect.Handle(i), Guest: fs.Guest})
	}
	return all
}

// read returns what a servlet file says, without compiling it.
func (l *loader) read(ctx context.Context, digest string) (*servlet, error) {
	l.mu.Lock()
	known := l.servlets[digest]
	l.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s, _, err := l.verify(ctx, digest)
	return s, err
}

// verify reads a blob and believes nothing of it but what its signature covers.
func (l *loader) verify(ctx context.Context, digest string) (*servlet, []byte, error) {
	file, err := l.store.Blob(ctx, digest)
	if err != nil {
		return nil, nil, fmt.Errorf("reading servlet: %w", err)
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		return nil, nil, fmt.Errorf("reading servlet: %w", err)
	}
	v, err := unverified.Verify()
	if err != nil {
		return nil, nil, fmt.Errorf("verifying servlet: %w", err)
	}
	if v.Digest() != digest {
		return nil, nil, errors.New("verifying servlet: it is another file than was asked for")
	}
	s := &servlet{manifest: v.Manifest(), digest: v.ManifestDigest(), key: v.KeyID()}
	for _, t := range v.Tools() {
		one := &tool{Tool: t, input: sync.OnceValues(func() (*schema.Schema, error) { return schema.CompileInput(t.InputSchema) })}
		if t.OutputSchema != nil {
			one.output = sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile(t.OutputSchema) })
		}
		s.tools = append(s.tools, one)
	}
	l.warnExpired(s.manifest)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.servlets) >= maxServlets {
		clear(l.servlets)
	}
	l.servlets[digest] = s
	return s, v.Module(), nil
}

// warnExpired tells the operator; only a revocation stops an installed servlet.
func (l *loader) warnExpired(m capabilities.Manifest) {
	if end, err := time.Parse(time.RFC3339, m.Expires); err == nil && time.Now().After(end) {
		l.log.Warn("servlet's signature has expired; look for an upgrade", "servlet", m.Name, "version", m.Version, "expired", m.Expires)
	}
}

// acquire returns a compiled servlet; the first of many callers compiles it, once. release must be
// called when the call is over. A load that fails is tried again by the next call.
func (l *loader) acquire(ctx context.Context, digest string) (s *loaded, release func(), err error) {
	for {
		if s := l.take(digest); s != nil {
			return s, func() { l.release(s) }, nil
		}
		f := l.fly(digest)
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
	idle := l.surplus("")
	l.mu.Unlock()
	l.free(idle)
}

// fly joins the load of a servlet, or starts it. It runs on a goroutine of its own: a caller who gives
// up does not spoil it for the others.
func (l *loader) fly(digest string) *flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[digest]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	if l.loaded[digest] != nil { // landed meanwhile
		close(f.done)
		return f
	}
	l.flights[digest] = f
	l.work.Go(func() {
		s, err := l.load(digest)
		l.mu.Lock()
		delete(l.flights, digest)
		var idle []code
		if err == nil && l.closed {
			idle, err = []code{s.code}, errClosing
		}
		if f.err = err; err == nil {
			l.clock++
			s.used = l.clock
			l.loaded[digest] = s
			idle = l.surplus(digest)
		}
		close(f.done)
		l.mu.Unlock()
		l.free(idle)
	})
	return f
}

func (l *loader) load(digest string) (s *loaded, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("panic while loading a servlet", "digest", digest, "panic", p)
			s, err = nil, errPanic
		}
		if err != nil && l.life.Err() != nil {
			err = errClosing // not the file's fault
		}
	}()
	ctx := l.life
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return nil, errClosing
	}
	v, module, err := l.verify(ctx, digest)
	if err != nil {
		return nil, err
	}
	c, err := l.compile(ctx, module, v.manifest)
	if err != nil {
		return nil, fmt.Errorf("compiling servlet: %w", err)
	}
	return &loaded{servlet: v, code: c}, nil
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
