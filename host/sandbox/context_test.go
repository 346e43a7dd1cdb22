package sandbox

import (
	"context"
	"errors"
	"testing"
	"time"
)

func newCallContext(parent context.Context, wall time.Duration) *callContext {
	r := &run{}
	r.ctx.parent, r.ctx.run, r.ctx.deadline = parent, r, time.Now().Add(wall)
	return &r.ctx
}

// A call's context ends like one of the standard library, whether somebody waits for it or looks at it.
func TestCallContextEnds(t *testing.T) {
	rows := []struct {
		name string
		wall time.Duration
		end  func(c *callContext, cancel context.CancelFunc)
		want error
	}{
		{"with the caller's", time.Hour, func(_ *callContext, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"at the deadline", 0, func(*callContext, context.CancelFunc) {}, context.DeadlineExceeded},
		{"with the call", time.Hour, func(c *callContext, _ context.CancelFunc) { c.end() }, context.Canceled},
	}
	for _, row := range rows {
		for _, waits := range []string{"before", "after", "never"} {
			t.Run(row.name+"/waits "+waits, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := newCallContext(parent, row.wall)
				if waits == "before" {
					c.Done()
				}
				if row.wall > 0 && c.Err() != nil {
					t.Errorf("ended at once: %v", c.Err())
				}
				row.end(c, cancel)
				if err := c.Err(); !errors.Is(err, row.want) {
					t.Errorf("error %v, want %v", err, row.want)
				}
				if waits != "never" {
					<-c.Done()
				}
			})
		}
	}
}

// What is derived from it ends with it, and it has what the caller's context has.
func TestCallContextIsInherited(t *testing.T) {
	type key struct{}
	c := newCallContext(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	if c.Value(key{}) != "value" || c.Value(runKey{}) != c.run {
		t.Error("a value is missing")
	}
	if at, ok := c.Deadline(); !ok || at != c.deadline {
		t.Errorf("deadline %v, %v", at, ok)
	}
	for _, from := range []context.Context{c, c.timer()} {
		derived, cancel := context.WithCancel(from)
		defer cancel()
		if derived.Err() != nil {
			t.Error("ended at once")
		}
		defer func() { <-derived.Done() }()
	}
	c.end()
}
