package host

import (
	"context"
	"fmt"
	"time"

	"github.com/writ-run/writ/host/rate"
)

// Rate is how often each caller may call: as a bucket of Burst tokens that gets PerMinute of them a minute.
// The zero Rate is DefaultRate.
type Rate struct {
	PerMinute float64
	Burst     int
	Off       bool // no limit; the others are 0 then
}

// DefaultRate is for agents that work and not for loops that run away.
var DefaultRate = Rate{PerMinute: 100, Burst: 20}

func (r Rate) check() error {
	_, err := r.limiter()
	return err
}

// limiter makes a limiter of the rate; nil: no limit.
func (r Rate) limiter() (*rate.Limiter, error) {
	switch r {
	case Rate{Off: true}:
		return nil, nil
	case Rate{}:
		r = DefaultRate
	}
	return rate.New(rate.Config{PerMinute: r.PerMinute, Burst: r.Burst})
}

// admit refuses a caller who calls too often, before anything is looked up for it: names of no tool count
// as well. It holds for every transport.
func (c *call) admit(ctx context.Context) error {
	if c.host.rate == nil {
		return nil
	}
	d := c.host.rate.Take(c.caller(), c.started)
	if d.Allowed {
		return nil
	}
	if d.First {
		// A caller must not fill the audit with refusals: one a minute tells of all.
		if err := c.intend(ctx); err != nil {
			return err
		}
	}
	l := c.host.rate
	no := refuseAt(LimitRate, StatusHost, fmt.Sprintf("You call too often: a caller may make %v calls a minute, and %d at once. Try again in %v.",
		l.PerMinute(), l.Burst(), max(d.Retry.Round(100*time.Millisecond), 100*time.Millisecond)), "rate: others within a minute are not recorded")
	no.retry = d.Retry
	return no
}
