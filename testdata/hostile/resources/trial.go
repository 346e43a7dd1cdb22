package resources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// Bounds of every attack.
const (
	maxLate   = 250 * time.Millisecond // after the deadline, the last call is answered
	maxSlow   = 3 * time.Second        // the same in a short run, which has to tell a late end from none on any machine
	maxP99    = 50 * time.Millisecond  // after the deadline, 99 in 100 calls are
	maxGrowth = 64 << 20               // bytes resident above what is granted
	maxCheap  = 5 * time.Millisecond   // of 99 in 100 calls of the other caller
	maxPing   = 50 * time.Millisecond  // of 99 in 100 pings
)

// trial is one hostile servlet, called so often, so many at a time.
type trial struct {
	name     string
	servlet  servlet
	calls    int
	parallel int
	want     []refusal                        // what a call may be answered, exactly
	memory   int64                            // bytes that the guests are granted together; 0: parallel x limits.memory_mb
	total    int64                            // bytes that all calls of the host may have together; 0: the default
	server   string                           // address of a test server that the servlet may reach
	roots    string                           // PEM of its certificate
	drive    func(*process) error             // the attack, when it is not made by calls of the host's own
	after    func(*process, []answered) error // what else has to hold
}

// refusal is how an attack has to end.
type refusal struct {
	status, limit string
	text          string // with ID in place of the call's
}

// try carries out one trial.
func (b *bench) try(t trial, all *figures) error {
	dir, err := os.MkdirTemp(b.dir, "host-")
	if err != nil {
		return err
	}
	p, err := start(dir, setup{Code: b.code, Memory: t.total, Server: t.server, Roots: t.roots}, t.servlet)
	if err != nil {
		return err
	}
	f, err := b.measure(t, p)
	if errors.Is(err, errSilent) {
		p.kill()
	} else {
		err = errors.Join(err, p.end())
	}
	all.add(f, t)
	return err
}

// measure attacks a host while others use it.
func (b *bench) measure(t trial, p *process) (f figures, err error) {
	// The first call loads the servlet, which is no part of the attack on the others.
	first, err := b.attack(t, p, 1, 1, 20*time.Second)
	if err != nil {
		return f, err
	}
	if err := t.judge(first, 20*time.Second); err != nil {
		return f, fmt.Errorf("the first call: %w", err)
	}
	// What the machine itself does to the others just now.
	if f.quiet, _, err = p.watched(func() error { time.Sleep(b.rest()); return nil }); err != nil {
		return f, err
	}
	before, err := p.settled()
	if err != nil {
		return f, err
	}
	known := forgetPeak(p.cmd.Process.Pid) == nil
	var answers []answered
	f.cheap, f.ping, err = p.watched(func() (err error) {
		if t.drive != nil {
			return t.drive(p)
		}
		answers, err = b.attack(t, p, t.calls, t.parallel, 30*time.Second)
		return err
	})
	if err != nil {
		return f, err
	}
	resident, ok := residentOf(p.cmd.Process.Pid)
	f.resident, f.blind = resident.peak, !ok || !known
	for _, a := range answers {
		f.late = append(f.late, a.Wall-t.wall())
	}
	err = errors.Join(t.judge(answers, b.late()), f.judge(t), p.flat(before))
	if err == nil && t.after != nil {
		err = t.after(p, answers)
	}
	return f, err
}

// watched runs do while another caller and a second client use the host.
func (p *process) watched(do func() error) (cheap, pings observation, err error) {
	ping, err := newPinger(p.address)
	if err != nil {
		return cheap, pings, err
	}
	defer ping.close()
	if _, err := p.ask(order{Do: "watch"}, 10*time.Second); err != nil {
		return cheap, pings, err
	}
	pinging, stop := context.WithCancel(context.Background())
	defer stop()
	pinged := make(chan observation, 1)
	go func() { pinged <- ping.watch(pinging) }()
	err = do()
	stop()
	pings = <-pinged
	if err != nil {
		return cheap, pings, err
	}
	seen, err := p.ask(order{Do: "rest"}, 10*time.Second)
	if err != nil {
		return cheap, pings, err
	}
	return *seen.Watch, pings, nil
}

func (t trial) wall() time.Duration {
	return time.Duration(t.servlet.limits.WallMS) * time.Millisecond
}

func (b *bench) attack(t trial, p *process, calls, parallel int, patience time.Duration) ([]answered, error) {
	rounds := time.Duration((calls + parallel - 1) / parallel)
	r, err := p.ask(order{Do: "call", Tool: t.servlet.tool(), Count: calls, Parallel: parallel}, patience+rounds*t.wall())
	return r.Answers, err
}

// judge holds answers against what they have to be.
func (t trial) judge(answers []answered, maxLate time.Duration) error {
	for _, a := range answers {
		if !slices.Contains(t.want, refusal{a.Status, a.Limit, a.Text}) {
			return fmt.Errorf("a call was answered %q %q: %s", a.Status, a.Limit, a.Text)
		}
		if late := a.Wall - t.wall(); late > maxLate {
			return fmt.Errorf("a call was answered %v after its deadline", late.Round(time.Millisecond))
		}
	}
	return nil
}

// granted is how much memory the guests of the trial may have together, with their results.
func (t trial) granted() int64 {
	if t.memory > 0 {
		return t.memory
	}
	limits := capabilities.EffectiveLimits(t.servlet.limits)
	return int64(t.parallel) * (int64(limits.MemoryMB)<<20 + int64(limits.ResultKB)<<10)
}

// judge holds what others saw against the bounds.
func (f figures) judge(t trial) error {
	var errs []error
	for who, seen := range map[string]observation{"the other caller": f.cheap, "the second client": f.ping} {
		if len(seen.Errors) > 0 {
			errs = append(errs, fmt.Errorf("%s was refused: %s", who, seen.Errors[0]))
		}
		if seen.Calls == 0 {
			errs = append(errs, fmt.Errorf("%s was never served", who))
		}
	}
	if over := f.resident - t.granted() - maxGrowth; over > 0 && !raced && !f.blind {
		errs = append(errs, fmt.Errorf("the host had %d MiB resident; %d are granted", f.resident>>20, t.granted()>>20))
	}
	return errors.Join(errs...)
}

// settled is the host's state when nothing changes in it any more.
func (p *process) settled() (now reply, err error) {
	for same := 0; same < 3 && err == nil; {
		var next reply
		if next, err = p.ask(order{Do: "state"}, 10*time.Second); next.Routines == now.Routines && next.Files == now.Files {
			same++
		} else {
			now, same = next, 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return now, err
}

// flat checks that nothing of the attack is left: no goroutine, no descriptor.
func (p *process) flat(before reply) error {
	var now reply
	for range 750 { // what waits for a client that is gone gives up after a while
		var err error
		if now, err = p.ask(order{Do: "state"}, 10*time.Second); err != nil {
			return err
		}
		if now.Routines <= before.Routines && now.Files <= before.Files {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the attack left something behind: %d goroutines and %d descriptors; %d and %d before",
		now.Routines, now.Files, before.Routines, before.Files)
}
