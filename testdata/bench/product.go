package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/bench/job"
)

// workshop is what a run made so far, each thing once.
type workshop struct {
	guests  map[string]result[guest]
	engines map[image.Method]result[*sandbox.Engine] // without a host
	codes   map[compiled]result[*sandbox.Code]
	product map[string]result[*product]
	peers   map[string]result[*peers]
	modules map[string]result[string]
}

// compiled is a module in the engine that restores memories by a method.
type compiled struct {
	method image.Method
	module string
}

type result[T any] struct {
	value T
	err   error
}

// once makes the thing of a key, or says again why it cannot be made.
func once[K comparable, T any](made *map[K]result[T], key K, do func() (T, error)) (T, error) {
	if r, ok := (*made)[key]; ok {
		return r.value, r.err
	}
	value, err := do()
	if *made == nil {
		*made = map[K]result[T]{}
	}
	(*made)[key] = result[T]{value, err}
	return value, err
}

// rawArguments are call i's for a client.
func rawArguments(i int) json.RawMessage { return job.Arguments(job.Sum, i) }

// me is who calls.
var me = capabilities.Local(capabilities.DefaultSpace)

// limits are those that the manifests name, for calls without a host.
func limits() sandbox.Limits {
	return sandbox.Limits{Memory: 64 << 20, Wall: 10 * time.Second, Output: 256 << 10, Log: 64 << 10, HostCalls: 100_000}
}

// product is Writ in this process: everything below the protocol.
type product struct {
	reg    *registry.Registry
	engine *sandbox.Engine
	host   *host.Host
}

// product opens a home, an engine, and a host over both.
func (b *bench) product() (*product, error) {
	return once(&b.made.product, "", func() (*product, error) {
		p, err := openProduct(b.ctx, filepath.Join(b.dir, "home"), b.cache)
		if err == nil {
			b.onEnd(p.end)
		}
		return p, err
	})
}

func openProduct(ctx context.Context, home, cache string) (*product, error) {
	reg, err := registry.Open(home, nil)
	if err != nil {
		return nil, err
	}
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: cache})
	if err != nil {
		return nil, err
	}
	h, err := host.New(host.Config{Registry: reg, Engine: engine, Rate: host.Rate{Off: true}})
	return &product{reg, engine, h}, err
}

// end closes what openProduct opened; nothing runs any more.
func (p *product) end() {
	ctx := context.Background()
	p.host.Close(ctx)
	p.engine.Close(ctx)
	p.reg.Close()
}

// install installs a servlet file with all that it asks for, unless it is there.
func (p *product) install(alias string, file []byte) error {
	ctx := context.Background()
	if _, err := p.reg.Lookup(ctx, me, alias); err == nil {
		return nil
	}
	return install(ctx, p.reg, alias, file)
}

func install(ctx context.Context, reg *registry.Registry, alias string, file []byte) error {
	s, err := verified(file)
	if err != nil {
		return err
	}
	m := s.Manifest()
	_, err = reg.Install(ctx, me, registry.Installation{
		Space: me.Space, Alias: alias, Name: m.Name, Version: m.Version, Publisher: s.KeyID(), Digest: s.Digest(),
		Source: "bench", Development: true,
		Grant: grant(s),
	}, file)
	return err
}

func (p *product) call(alias string, arguments []byte) ([]byte, error) {
	answer, err := p.host.CallTool(context.Background(), me, host.Request{Tool: alias + "_work", Arguments: arguments})
	if err == nil && answer.Status != host.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, answer.Result)
	}
	return answer.Result, err
}

// engine is one without a host, which restores memories by a method.
func (b *bench) engine(method image.Method) (*sandbox.Engine, error) {
	return once(&b.made.engines, method, func() (*sandbox.Engine, error) {
		engine, err := sandbox.New(b.ctx, sandbox.Config{CacheDir: b.cache, Method: method})
		if err == nil {
			b.onEnd(func() { engine.Close(context.Background()) })
		}
		return engine, err
	})
}

// code is a module that passed the gate, metered and compiled in such an engine, with its image taken.
func (b *bench) code(method image.Method, module []byte) (*sandbox.Code, error) {
	return once(&b.made.codes, compiled{method, string(module)}, func() (*sandbox.Code, error) {
		engine, err := b.engine(method)
		if err != nil {
			return nil, err
		}
		admitted, err := sandbox.Admit(module, capabilities.ABI, nil)
		if err != nil {
			return nil, err
		}
		code, err := engine.Compile(b.ctx, admitted)
		if err != nil {
			return nil, err
		}
		return code, code.Prepare(b.ctx, nil, limits().Memory)
	})
}
