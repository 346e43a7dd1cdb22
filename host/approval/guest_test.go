package approval_test

import (
	"testing"
	"time"

	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/sandbox"
)

// The servlet of these tests never ends, whatever part of it is run. All that happens before and up
// to the accepted answer has to end all the same.
func TestNoGuestCodeRunsUpToTheInstall(t *testing.T) {
	d := newDesk(t)
	engine, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(t.Context())
	start, err := approval.Scanned(engine, d.c)
	if err != nil || start.Prepared || start.Rung == "" {
		t.Errorf("scanned %+v, %v", start, err)
	}
	_ = approval.Describe(d.c, nil, start)
	d.propose(t)
	in := d.install(t)
	if _, _, err := approval.Load(t.Context(), d.reg, local, in.Alias); err != nil {
		t.Fatal(err)
	}
	if _, err := approval.ProposeGrant(t.Context(), d.reg, local, in.Alias, d.choice); err != nil {
		t.Fatal(err)
	}
}

// The control: running that servlet does not end by itself.
func TestTheServletOfTheseTestsNeverEnds(t *testing.T) {
	c := newDesk(t).c
	admitted, err := sandbox.Admit(c.Servlet.Module(), c.Servlet.Manifest().Module.ABI, nil)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sandbox.New(t.Context(), sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(t.Context())
	code, err := engine.Compile(t.Context(), admitted)
	if err != nil {
		t.Fatal(err)
	}
	out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: sandbox.Limits{
		Memory: 1 << 20, Wall: 50 * time.Millisecond, Output: 1 << 10, Log: 1 << 10, HostCalls: 10,
	}})
	if out.Fault == nil || out.Fault.Kind != sandbox.FaultDeadline {
		t.Errorf("it ended: %+v", out)
	}
}
