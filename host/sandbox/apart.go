package sandbox

import (
	"context"
	"fmt"
	"runtime"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/writ-run/writ/capabilities"
)

// Job is a module that another process compiles: what a compiler takes, in time, memory or by a fault
// of its own, is then no matter of the process that serves calls.
type Job struct {
	CacheDir string              // where the result belongs
	Module   []byte              // passed the gate
	ABI      string              // for which it passed
	Kinds    []capabilities.Kind // of which it has imports
}

// CompileInto does a job: it gates the module again, compiles it on all processors and leaves the result
// in the job's folder, where an Engine with the same folder finds it. No guest code runs. Its errors are
// those of Compile, and ErrCache also when the folder cannot be opened.
func CompileInto(ctx context.Context, job Job) error {
	admitted, err := Admit(job.Module, job.ABI, job.Kinds)
	if err != nil {
		return err
	}
	e, err := New(ctx, Config{CacheDir: job.CacheDir})
	if err != nil {
		return fmt.Errorf("compiling module: %w: %w", ErrCache, err)
	}
	c, err := e.Compile(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), admitted)
	if err == nil {
		err = c.Close(ctx)
	}
	if closing := e.Close(ctx); err == nil && closing != nil {
		err = fmt.Errorf("compiling module: %w", closing)
	}
	return err
}
