package host

import (
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
)

// Report is everything that one call did, for whoever writes its servlet. Names, texts and logs are the
// guest's or the client's: they are not fit for a terminal as they are. Nothing of it reaches a model.
type Report struct {
	Tool    string // as it was asked for
	Answer  Answer
	Reason  string         // kind of fault, or what was refused; written by the host
	Fault   *sandbox.Fault // what ended the guest; nil: it answered, or never ran
	Effects []guard.Event  // that the guard decided about, in order
	Memory  int64          // linear memory at the end, bytes
	Rung    sandbox.Rung   // how the call got its instance; empty: it had none
	Frames  []uint32       // functions that a guest which was ended was in, as in sandbox.Outcome
}

// learner is one more directory that calls of a learning Host see: the root, of which nothing is ever
// granted. Every absolute path is below it, so that what a guest looks for outside of its directories comes
// before the guard, which refuses and records it, instead of ending in the guest's own runtime.
var learner = capabilities.FSRight{Guest: "/"}

// learn shows the call what a learning Host shows. Its rights stay what they were.
func (c *call) learn() {
	if c.host.learns {
		c.policy.Preopens = slices.Concat(c.policy.Preopens, []capabilities.FSRight{learner}) // the policy is not this call's alone
	}
}

// keepOutcome keeps what a Report says of the guest's run.
func (c *call) keepOutcome(out sandbox.Outcome) {
	if c.host.reports != nil {
		c.report = &Report{Fault: out.Fault, Memory: out.Memory, Rung: out.Rung, Frames: out.Frames}
	}
}

// tell hands the Report over.
func (c *call) tell(a Answer) {
	if c.host.reports == nil {
		return
	}
	defer c.host.logPanic("reporting a call")
	r := Report{}
	if c.report != nil {
		r = *c.report
	}
	r.Tool, r.Answer, r.Reason = c.req.Tool, a, c.done.Reason
	if c.recorder != nil {
		r.Effects = c.recorder.seen
	}
	for i, e := range r.Effects {
		if rest, ok := strings.CutPrefix(e.Target, "//"); ok { // below the learner, whose own name is a slash
			r.Effects[i].Target = "/" + rest
		}
	}
	c.host.reports(r)
}

// preopensOf are the directories that every call of a servlet sees, as the guard shows them.
func preopensOf(m capabilities.Manifest, learns bool) []effect.Preopen {
	all := preopens(m)
	if learns {
		all = append(all, effect.Preopen{Handle: effect.FirstHandle + effect.Handle(len(all)), Guest: learner.Guest})
	}
	return all
}
