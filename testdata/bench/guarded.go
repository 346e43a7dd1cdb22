package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/bench/job"
)

// tally counts the events that guards record.
type tally struct{ events atomic.Int64 }

func (t *tally) Record(context.Context, guard.Event) error {
	t.events.Add(1)
	return nil
}

// guarded samples calls in fresh sandboxes, each behind a guard of its own.
func (b *bench) guarded(code *sandbox.Code, g guest, op string) (sampler, error) {
	call, err := b.behindGuard(code, g)
	if err != nil {
		return nil, err
	}
	return timed(func(i int) []byte { return job.Request(op, i) }, call, job.Check), nil
}

// behindGuard is a call in a fresh sandbox, behind a guard that is made for it. Several may run at a time.
func (b *bench) behindGuard(code *sandbox.Code, g guest) (func(input []byte) ([]byte, error), error) {
	if rung, why := code.Rung(); rung != sandbox.RungReset {
		return nil, fmt.Errorf("it runs on rung %s: %s", rung, why)
	}
	policy, err := g.policy()
	if err != nil {
		return nil, err
	}
	recorder := &tally{}
	limits := sandbox.Limits{
		Memory: int64(policy.Limits.MemoryMB) << 20, Wall: time.Duration(policy.Limits.WallMS) * time.Millisecond,
		Output: policy.Limits.ResultKB << 10, Log: limits().Log, HostCalls: limits().HostCalls,
	}
	return func(input []byte) ([]byte, error) {
		warden, err := guard.New(guard.Config{Policy: policy, Recorder: recorder, State: []string{b.dir}})
		if err != nil {
			return nil, err
		}
		out := code.Run(b.ctx, sandbox.Call{
			Entry: sandbox.EntryCall, Input: input, Host: warden, Limits: limits, Caller: me.Space + "/" + me.Principal,
		})
		err = warden.End()
		switch {
		case out.Fault != nil:
			return nil, out.Fault
		case out.Rung != sandbox.RungReset:
			return nil, fmt.Errorf("it ran on rung %s", out.Rung)
		case recorder.events.Load() > 0:
			return nil, errors.New("it asked for an effect, which no guest of the benchmarks does")
		}
		return out.Output, err
	}, nil
}

// policy is that of a call of the servlet's tool, by a grant of all that the servlet asks for.
func (g guest) policy() (capabilities.Policy, error) {
	s, err := verified(g.file)
	if err != nil {
		return capabilities.Policy{}, err
	}
	return capabilities.Effective(s.Manifest(), s.ManifestDigest(), grant(s), me, "bench", "work", nil)
}

// grant is one of all that a servlet asks for.
func grant(s capabilities.Servlet) capabilities.Grant {
	m := s.Manifest()
	return capabilities.Grant{
		Servlet: m.Name, Publisher: s.KeyID(), Manifest: s.ManifestDigest(), Approver: "local", Rights: capabilities.Requested(m),
	}
}
