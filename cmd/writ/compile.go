package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
)

// compilerLimits are what compiling one module may take.
type compilerLimits struct {
	time   time.Duration // of a processor, where the system counts it
	wait   time.Duration // by the clock: other programs may want the processors too
	memory int64         // bytes; the collector works harder to stay below it
	hard   uint64        // bytes of address space that can be written, where the system counts it

	processors int // at a time; each has its part of the memory
}

// compilerMay is the limit of every compilation. The gate lets nothing pass for which the compiler takes
// more than 10 s and 512 MiB on the machine of Writ's own measurements; reading, checking and storing
// the module come on top, and a slower machine needs longer. A Go program takes 2 s and 150 MiB.
var compilerMay = compilerLimits{time: 30 * time.Second, wait: 2 * time.Minute, memory: 512 << 20, hard: 1536 << 20, processors: 4}

// compileVerb is the other process that compiles: `writ compile FOLDER` with a gated module on standard
// input. A person has no use for it.
func (a *app) compileVerb() *cobra.Command {
	var kinds []string
	var abi string
	cmd := &cobra.Command{
		Use: "compile FOLDER", Args: takes, Hidden: true,
		Short: "Compile a module for another process of Writ",
		RunE: func(cmd *cobra.Command, args []string) error {
			debug.SetMemoryLimit(compilerMay.memory)
			runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), compilerMay.processors))
			if err := limitItself(compilerMay); err != nil {
				return fmt.Errorf("%w: limiting itself: %w", errNotBegun, err)
			}
			module, err := io.ReadAll(io.LimitReader(a.stdin, maxModule+1))
			if err != nil {
				return fmt.Errorf("%w: reading module: %w", errNotBegun, err)
			}
			job := sandbox.Job{CacheDir: args[0], Module: module, ABI: abi}
			for _, k := range kinds {
				job.Kinds = append(job.Kinds, capabilities.Kind(k))
			}
			return sandbox.CompileInto(cmd.Context(), job)
		},
	}
	cmd.Flags().StringVar(&abi, "abi", capabilities.ABI, "guest interface of the module")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "kind of capability that the module has imports of")
	return cmd
}

// errNotBegun is why the other process did not come to look at its module.
var errNotBegun = errors.New("the compiler cannot begin")

// maxModule is the largest module that is read to be compiled, in bytes.
const maxModule = 64 << 20

// errorPrefix begins the one line in which a process of Writ says why it failed.
const errorPrefix = "writ: "

// compileApart compiles a module in a process of its own, which has limits, no environment and nothing
// to do with the calls of this one. Where none can be started, or it cannot begin or use the folder, it is
// no error: then the engine compiles by itself. A module that it refuses never comes back to this process,
// which has no limits for it.
func compileApart(ctx context.Context, job sandbox.Job, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, compilerMay.wait)
	defer cancel()
	args := []string{"compile", job.CacheDir, "--abi", job.ABI}
	for _, k := range job.Kinds {
		args = append(args, "--kind", string(k))
	}
	var said head
	self, err := ownBinary()
	if err == nil {
		cmd := exec.CommandContext(ctx, self, args...)
		cmd.Args[0], cmd.Env, cmd.Stdin, cmd.Stderr = "writ", []string{}, bytes.NewReader(job.Module), &said
		if err = cmd.Run(); err != nil && cmd.ProcessState != nil {
			if failed := whyNotCompiled(ctx, compilerMay, cmd.ProcessState, said.String()); failed != nil {
				return failed
			}
		}
	}
	if err != nil {
		log.Warn("compiling in this process", "reason", err, "said", said.String())
	}
	return nil
}

// whyNotCompiled is the end of the other process in one line that names nothing of this machine; nil
// when the process never looked at the module, or had no folder to keep the result in.
func whyNotCompiled(ctx context.Context, may compilerLimits, ended *os.ProcessState, said string) error {
	why := ""
	switch spent := ended.UserTime() + ended.SystemTime(); {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case strings.HasPrefix(said, errorPrefix) && (strings.Contains(said, errNotBegun.Error()) || strings.Contains(said, sandbox.ErrCache.Error())):
		return nil
	case strings.HasPrefix(said, errorPrefix) && strings.Contains(said, sandbox.ErrInvalid.Error()):
		return fmt.Errorf("compiling module: %w", sandbox.ErrInvalid)
	case strings.HasPrefix(said, errorPrefix):
		return fmt.Errorf("compiling module: %w", sandbox.ErrCompile)
	case spent >= may.time-time.Second/2:
		why = fmt.Sprintf("it takes more than %v of a processor, the most that Writ gives", may.time)
	case ctx.Err() != nil:
		why = fmt.Sprintf("it took more than %v: try again when the machine has less to do", may.wait)
	case outOfMemory.MatchString(said):
		why = fmt.Sprintf("it takes more than %d MiB of memory, the most that Writ gives", may.hard>>20)
	default:
		why = fmt.Sprintf("the compiler ended with %v", ended)
	}
	return fmt.Errorf("compiling module: %w: %s", sandbox.ErrCompile, why)
}

// outOfMemory is how a Go program ends that is given no more: by its heap, or by a thread's stack.
var outOfMemory = regexp.MustCompile("out of memory|cannot allocate memory|pthread_create failed")

// ownBinary is the program that runs, also when another one has taken its place on disk.
func ownBinary() (string, error) {
	if runtime.GOOS == "linux" {
		const self = "/proc/self/exe"
		if _, err := os.Stat(self); err == nil {
			return self, nil
		}
	}
	return os.Executable()
}

// head keeps the beginning of what a process writes: a crash begins with its reason.
type head struct{ bytes.Buffer }

// maxHead is how much is kept, in bytes.
const maxHead = 4 << 10

func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), maxHead-h.Len())])
	return len(p), nil
}
