package sandbox

import (
	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/host/wasm"
)

// Rung is how a call gets its fresh instance. All rungs are equally fresh; they differ in cost.
type Rung string

// The rungs of the ladder, best first.
const (
	// RungReset: after each call the instance is made again what it was when it was captured.
	RungReset Rung = "reset"
	// RungInstance: each call has a new instance, in a memory that starts as the captured one.
	RungInstance Rung = "instance"
	// RungPlain: each call has a new instance and runs its initialisation.
	RungPlain Rung = "plain"
)

// above tells whether r is a better rung than other; the zero Rung is the best.
func (r Rung) above(other Rung) bool {
	order := map[Rung]int{RungReset: 0, RungInstance: 1, RungPlain: 2}
	return order[r] < order[other]
}

// Rung returns how calls get their instances, and why not better. The reason is one line without a
// period, fit for a terminal; it is empty on the best rung.
func (c *Code) Rung() (rung Rung, why string) {
	if c.best == RungPlain {
		return c.best, c.why
	}
	return c.captures.rung(c.best, c.why)
}

// reachable is the best rung that a module can be on, by its shape and the system alone.
func (e *Engine) reachable(shape wasm.Shape) (rung Rung, why string) {
	rung = RungReset
	switch {
	case shape.Unusual != "":
		rung, why = RungPlain, shape.Unusual
	case shape.Tables:
		rung, why = RungInstance, "the module can change its tables, which a reset does not restore"
	case shape.Passive:
		rung, why = RungInstance, "the module can drop its data segments, which a reset does not restore"
	default:
		if method, slow := e.space.Method(); method != image.Scan {
			why = slow
		}
	}
	if rung.above(e.best) {
		rung, why = e.best, "better rungs are switched off"
	}
	return rung, why
}
