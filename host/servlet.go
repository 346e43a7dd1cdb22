package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
	"github.com/writ-run/writ/registry"
)

// servlet is what a publisher signed about a servlet, without its code.
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

func newServlet(from statement) *servlet {
	s := &servlet{manifest: from.Manifest(), digest: from.ManifestDigest(), key: from.KeyID()}
	for _, t := range from.Tools() {
		one := &tool{Tool: t, input: sync.OnceValues(func() (*schema.Schema, error) { return schema.CompileInput(t.InputSchema) })}
		if t.OutputSchema != nil {
			one.output = sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile(t.OutputSchema) })
		}
		s.tools = append(s.tools, one)
	}
	return s
}

func (s *servlet) tool(name string) *tool {
	for _, t := range s.tools {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// compileWith gates a module again before it compiles it: what install let pass, an older Writ may
// have let pass. Then its init and warm-up run, in the one place that is after every approval, and no
// caller's time is spent on them.
func compileWith(engine *sandbox.Engine, log *slog.Logger, learns bool) func(context.Context, []byte, capabilities.Manifest) (code, error) {
	return func(ctx context.Context, module []byte, m capabilities.Manifest) (code, error) {
		admitted, err := sandbox.Admit(module, m.Module.ABI, m.Capabilities.Kinds())
		if err != nil {
			return nil, err
		}
		c, err := engine.Compile(ctx, admitted)
		if err != nil {
			return nil, err
		}
		if err := c.Prepare(ctx, preopensOf(m, learns), int64(capabilities.EffectiveLimits(m.Limits).MemoryMB)<<20); err != nil {
			log.Info("servlet is initialised for each call", "servlet", m.Name, "reason", err)
		}
		return c, nil
	}
}

// remember notes in the engine's cache folder what was loaded.
func (l *loader) remember(digest string, s *loaded) {
	if c, ok := s.code.(*sandbox.Code); ok {
		l.engine.Remember(digest, s.manifest.Module.SHA256, c)
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

// read returns what was signed about a servlet. It reads a few kilobytes of the file: a list of fifty
// servlets must not wait for two hundred megabytes. That the manifest is the one that was approved is
// decided by who has the grant, which names its digest and key; that the module is the signed one, by
// verify, before any of it is compiled.
func (l *loader) read(ctx context.Context, digest string) (*servlet, error) {
	l.mu.Lock()
	known := l.servlets[digest]
	l.mu.Unlock()
	if known != nil {
		return known, nil
	}
	file, err := l.store.OpenBlob(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("reading servlet: %w", err)
	}
	defer file.Close() // it was only read
	stated, err := capabilities.ReadStatement(file, file.Size())
	if err != nil {
		return nil, err
	}
	return l.keep(digest, stated), nil
}

// readAhead reads what was signed about many servlets, on all processors. What fails here fails again
// where it is asked for, and is told there.
func (l *loader) readAhead(ctx context.Context, installed []registry.Installation) {
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(installed)) {
		work.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					l.log.Error("reading servlets panicked", "panic", p)
				}
			}()
			for i := next.Add(1); i <= int64(len(installed)) && ctx.Err() == nil; i = next.Add(1) {
				l.read(ctx, installed[i-1].Digest)
			}
		})
	}
	work.Wait()
}

// verify reads a whole blob and believes nothing of it but what its signature covers. Reading it hashes it,
// so that the store need not.
func (l *loader) verify(ctx context.Context, digest string) (*servlet, []byte, error) {
	file, err := l.whole(ctx, digest)
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
		return nil, nil, errors.New("verifying servlet: its file is not what was installed")
	}
	return l.keep(digest, v), v.Module(), nil
}

// maxFile is the largest servlet file that can be installed, in bytes.
const maxFile = 64 << 20

// whole reads all of a blob.
func (l *loader) whole(ctx context.Context, digest string) ([]byte, error) {
	r, err := l.store.OpenBlob(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer r.Close() // it was only read
	if r.Size() > maxFile {
		return nil, fmt.Errorf("it has %d bytes, and the most is %d", r.Size(), maxFile)
	}
	file := make([]byte, r.Size())
	if n, err := r.ReadAt(file, 0); n < len(file) {
		return nil, err
	}
	return file, nil
}

// statement is what is signed about a servlet, read alone or with its module.
type statement interface {
	Manifest() capabilities.Manifest
	ManifestDigest() string
	KeyID() string
	Tools() []capabilities.Tool
}

var (
	_ statement = capabilities.Statement{}
	_ statement = capabilities.Servlet{}
)

// maxServlets bounds the manifests that are kept. Above it all are read again.
const maxServlets = 1024

// keep remembers what was signed about a servlet. When the same was remembered before it returns that:
// the schemas of its tools may be compiled already.
func (l *loader) keep(digest string, from statement) *servlet {
	s := newServlet(from)
	l.mu.Lock()
	known := l.servlets[digest]
	if known == nil || known.digest != s.digest {
		if len(l.servlets) >= maxServlets {
			clear(l.servlets)
		}
		l.servlets[digest] = s
	}
	l.mu.Unlock()
	if known != nil && known.digest == s.digest {
		return known
	}
	l.warnExpired(s.manifest)
	return s
}

// warnExpired tells the operator; only a revocation stops an installed servlet.
func (l *loader) warnExpired(m capabilities.Manifest) {
	if end, err := time.Parse(time.RFC3339, m.Expires); err == nil && time.Now().After(end) {
		l.log.Warn("servlet's signature has expired; look for an upgrade", "servlet", m.Name, "version", m.Version, "expired", m.Expires)
	}
}
