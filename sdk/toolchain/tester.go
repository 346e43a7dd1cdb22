package toolchain

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
	"github.com/writ-run/writ/sdk/toolchain/calls"
	"github.com/writ-run/writ/sdk/toolchain/recording"
)

// tester makes calls of one servlet, under the decisions that a host makes.
type tester struct {
	options TestOptions
	servlet capabilities.Servlet
	places  Places
	code    *sandbox.Code
	inputs  map[string]*schema.Schema
	outputs map[string]*schema.Schema // of tools that promise a form
}

// newTester builds the source in memory. end frees what it made.
func newTester(ctx context.Context, o TestOptions) (t tester, end func() error, err error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // a file with it never exists
	a, err := assemble(ctx, Options{Dir: o.Dir, CacheDir: o.CacheDir, Key: key})
	if err != nil {
		return t, nil, err
	}
	file, err := capabilities.Seal(a.module, a.manifest, key)
	if err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	t = tester{options: o, places: Places{o.Dir, a.names}, inputs: map[string]*schema.Schema{}, outputs: map[string]*schema.Schema{}}
	if t.servlet, err = unverified.Verify(); err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	for _, tool := range t.servlet.Tools() {
		if t.inputs[tool.Name], err = schema.CompileInput(tool.InputSchema); err != nil {
			return t, nil, fmt.Errorf("testing: %w", err)
		}
		if len(tool.OutputSchema) == 0 {
			continue
		}
		if t.outputs[tool.Name], err = schema.Compile(tool.OutputSchema); err != nil {
			return t, nil, fmt.Errorf("testing: %w", err)
		}
	}
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: o.CacheDir})
	if err != nil {
		return t, nil, fmt.Errorf("testing: %w", err)
	}
	end = func() error { return engine.Close(context.WithoutCancel(ctx)) }
	if t.code, err = engine.Compile(ctx, a.admitted); err != nil {
		return t, nil, errors.Join(fmt.Errorf("testing: %w", err), end())
	}
	return t, end, nil
}

// call makes the call at an index of a file, and compares. The exchanges are those that it recorded.
func (t tester) call(ctx context.Context, f *testFile, i int) (r CallReport, recorded []recording.Exchange) {
	c := f.calls.Calls[i]
	r = CallReport{File: f.calls.Name, Line: f.calls.Line(i, ""), Name: capabilities.Printable(c.Name, 200)}
	failed := func(err error) (CallReport, []recording.Exchange) {
		r.Failure = capabilities.Printable(err.Error(), 400)
		return r, nil
	}
	input, known := t.inputs[c.Tool]
	if !known {
		return failed(fmt.Errorf("the servlet has no tool %q", capabilities.Printable(c.Tool, 80)))
	}
	if c.Arguments == nil {
		c.Arguments = json.RawMessage("{}")
	}
	var answer calls.Answer
	arguments, err := input.Read(c.Arguments)
	if err != nil {
		answer.Fault = err.Error()
	} else {
		g, err := t.give(f, c)
		if err != nil {
			return failed(err)
		}
		defer g.remove()
		player := f.known.Play(c.Name)
		recorder := recording.Record(c.Name)
		if network := t.options.Network; t.options.Record {
			network.Tape = recorder
			g.network = network
		} else {
			g.network = guard.Network{Tape: player}
		}
		if answer, err = t.perform(ctx, c.Tool, arguments, g, &r); err != nil {
			return failed(err)
		}
		if t.options.Record {
			r.Requests, recorded = recorder.Lost(), recorder.Exchanges()
		} else {
			r.Requests, r.Unused = player.Unknown(), player.Unused()
		}
		r.Denied = answer.Denied
	}
	if r.Differences = f.calls.Compare(i, answer); len(r.Differences) > 0 {
		r.Line = r.Differences[0].Line
	}
	return r, recorded
}

// perform runs the guest with what a call gives it.
func (t tester) perform(ctx context.Context, tool string, arguments json.RawMessage, g *given, r *CallReport) (a calls.Answer, err error) {
	out, err := t.run(ctx, tool, arguments, g, time.Duration(g.policy.Limits.WallMS)*time.Millisecond)
	if err != nil {
		return a, err
	}
	r.Logs, r.Fuel, r.Wall, r.Where = out.Logs, out.Fuel, out.Wall, t.places.Where(out.Logs, out.Frames)
	for _, line := range out.Logs {
		a.Logs = append(a.Logs, line.Text)
	}
	a.Output, a.Denied = out.Output, g.denied()
	switch what := t.judge(tool, out); {
	case out.Fault != nil:
		a.Fault = out.Fault.Text
	case what != "": // a host would not pass it on
		a.Fault = "The tool's answer was refused: " + what
	}
	a.Folders, err = g.held()
	return a, err
}

// run makes one call as a host does: what it kept is kept only when it succeeded.
func (t tester) run(ctx context.Context, tool string, arguments json.RawMessage, g *given, wall time.Duration) (out sandbox.Outcome, err error) {
	request, err := strictjson.Encode(map[string]any{"method": "tools/call", "params": map[string]any{"name": tool, "arguments": arguments}})
	if err != nil {
		return out, err
	}
	warden, err := guard.New(guard.Config{Policy: g.policy, Recorder: g, Network: g.network, Secrets: g, Keeper: g.keeper()})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, warden.End()) }()
	l := g.policy.Limits
	out = t.code.Run(ctx, sandbox.Call{Entry: sandbox.EntryCall, Input: request, Host: warden, Trace: true, Limits: sandbox.Limits{
		Memory: int64(l.MemoryMB) << 20, Wall: wall, Output: l.ResultKB << 10,
		Log: 64 << 10, HostCalls: 100_000,
	}})
	if out.Fault != nil || failedResult(out.Output) {
		return out, nil
	}
	return out, warden.Commit(ctx)
}

func failedResult(output []byte) bool {
	var result struct {
		IsError bool `json:"isError"`
	}
	return json.Unmarshal(output, &result) != nil || result.IsError
}
