package host

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
)

// reference ends a text whose details only the operator may see.
func (c *call) reference() string {
	return fmt.Sprintf("See `%s`.", commandIn(c.by.Space, "audit --call %s", c.id))
}

func (c *call) hostFailure(reason string) *refusal {
	return refuse(StatusHost, "Writ failed while it served this call. "+c.reference(), reason)
}

func (c *call) revoked() *refusal {
	return refuse(StatusDenied, fmt.Sprintf("%s was ended: its grant was taken back while it ran. What it had done by then was done. Mend it with: %s",
		c.req.Tool, command(c.in, "grant %s", c.alias)), "revoked while running")
}

func (c *call) replaced() *refusal {
	return refuse(StatusDenied, fmt.Sprintf("%s was ended: another file was installed as %s while it ran. What it had done by then was done. Call it again to use what is there now.",
		c.req.Tool, c.alias), "replaced while running")
}

func (c *call) overtaken() *refusal {
	return refuse(StatusHost, fmt.Sprintf("%s was changed while this call began, so it was not run. Call it again.", c.alias), "changed meanwhile")
}

func (c *call) closing() *refusal {
	return refuse(StatusHost, "Writ is shutting down.", "closing")
}

// tooLarge is a call that this Host can never run.
func (c *call) tooLarge(e tooLarge) *refusal {
	return refuseAt(sandbox.LimitMemoryTotal, StatusTool, fmt.Sprintf(
		"%s may use %d MB of memory, and this Writ has %d MB for one call. Run it on a machine with more memory, or ask its publisher for a smaller limits.memory_mb.",
		c.req.Tool, c.policy.Limits.MemoryMB, e.most>>20), "memory")
}

// busy says what a call waited for in vain.
func (c *call) busy(b busy) *refusal {
	why := ""
	switch b.limit {
	case LimitServletCalls:
		why = fmt.Sprintf("%d of its calls are running", b.most)
	case LimitCallerCalls:
		why = fmt.Sprintf("%d of your calls are running", b.most)
	case LimitTotalCalls:
		why = fmt.Sprintf("%d calls are running", b.most)
	case LimitCallerMemory:
		why = fmt.Sprintf("your calls that are running may use all of the %d MB that one caller has", b.most>>20)
	case LimitWaiting:
		why = fmt.Sprintf("%d calls are waiting already", b.most)
	default:
		why = fmt.Sprintf("the calls that are running may use all of the %d MB that this Writ has", b.most>>20)
	}
	return refuseAt(b.limit, StatusHost, fmt.Sprintf("%s is busy: %s. Try again later.", c.alias, why), "busy: "+string(b.limit))
}

// keepLogs keeps what the guest wrote for the operator, and says what is missing in it.
func (c *call) keepLogs(out sandbox.Outcome) {
	c.logs, c.done.LogDropped = out.Logs, out.Dropped
	if out.Dropped > 0 {
		c.logs = append(c.logs, effect.LogLine{Level: effect.Warn, Text: fmt.Sprintf(
			"[Writ: %d bytes of log were dropped; a call keeps %d KiB, in lines of at most 4 KiB]", out.Dropped, maxLog>>10)})
	}
}

// interrupted tells a call that was ended from outside. A result that is there all the same is not
// handed out after a revocation: what was read must not be told any more.
func (c *call) interrupted(ctx, parent context.Context, f *sandbox.Fault) error {
	switch cause := context.Cause(ctx); {
	case cause == errRevoked:
		return c.revoked()
	case cause == errReplaced:
		return c.replaced()
	case f == nil || f.Kind != sandbox.FaultCancelled:
		return nil
	case parent.Err() != nil:
		return parent.Err()
	case cause == errClosing:
		return c.closing()
	}
	return nil
}

// fault words a failed run. Only what a servlet itself reported is the servlet's own text.
func (c *call) fault(f *sandbox.Fault) error {
	reason := string(f.Kind)
	switch f.Kind {
	case sandbox.FaultTool:
		text, dropped := cleanText(f.Text)
		c.done.Cleaned = dropped
		return refuse(StatusTool, text, reason)
	case sandbox.FaultDeadline:
		return refuseAt(LimitTime, StatusTool, fmt.Sprintf("The tool did not answer within %v and was ended. What it had done by then was done. %s", c.wall, c.reference()), reason)
	case sandbox.FaultLimit:
		return refuseAt(f.Limit, StatusTool, fmt.Sprintf("The tool was ended at a limit: %s. %s", f.Text, c.reference()), reason+": "+f.Text)
	case sandbox.FaultTrap, sandbox.FaultExit, sandbox.FaultABI:
		return refuse(StatusTool, "The tool crashed. "+c.reference(), reason+": "+f.Text)
	}
	c.host.log.Error("host failed during a call", "call", c.id, "fault", f.Text)
	return c.hostFailure(reason)
}

// refused ends a call in words of the host.
func (c *call) refused(no *refusal) Answer {
	c.done.Status, c.done.Limit, c.done.Reason = no.status, no.limit, no.reason
	return c.sum(failure(no.text, no.limit, no.retry))
}

// end ends a call in the guest's result, which was accepted.
func (c *call) end(result json.RawMessage) Answer { return c.sum(result) }

func (c *call) sum(result json.RawMessage) Answer {
	c.done.Result = len(result)
	last := c.finish()
	a := Answer{
		Status: c.done.Status, Limit: c.done.Limit, Result: result, Call: c.id, Logs: c.logs, Wall: time.Since(c.started),
		Fuel: c.done.Fuel, Allowed: c.done.Allowed, Denied: c.done.Denied,
	}
	if last {
		c.tell(a)
	}
	return a
}

// finish records how the call ended, once, and counts it. A call that was left behind has its record, and
// its answer, already: then it is false.
func (c *call) finish() bool {
	if !c.state.CompareAndSwap(underWay, hasEnded) {
		return false
	}
	c.done.WallMS = time.Since(c.started).Milliseconds()
	c.record()
	c.observe()
	return true
}

// record writes how the call ended. Nothing can be undone by then, so a record that cannot be written
// is logged and the answer stands; the intent and the effects are in the audit already.
func (c *call) record() {
	if c.recorder == nil {
		return
	}
	defer c.host.logPanic("recording an answer")
	if err := c.recorder.write(context.Background(), eventAnswer, c.done, false); err != nil {
		c.host.log.Error("recording answer", "call", c.id, "error", err)
	}
}
