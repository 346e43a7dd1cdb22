package host

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// However many run at a time, each gets a goroutine; few wait afterwards, none for long, and none when the
// host is closed.
func TestCrewKeepsSomeAndEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	life, end := context.WithCancel(t.Context())
	defer end()
	var c crew
	for range 3 {
		var all, ran sync.WaitGroup
		release := make(chan struct{})
		all.Add(2 * maxIdle)
		for range 2 * maxIdle { // none of them ends before all have begun
			ran.Add(1)
			c.run(life, func() {
				defer ran.Done()
				all.Done()
				<-release
			})
		}
		all.Wait()
		close(release)
		ran.Wait()
	}
	settle(t, func() bool { return runtime.NumGoroutine() <= before+maxIdle })
	settle(t, func() bool { return c.waiting() == 0 && runtime.NumGoroutine() <= before })
	c.run(life, func() {})
	end()
	settle(t, func() bool { return runtime.NumGoroutine() <= before })
	done := make(chan struct{})
	c.run(life, func() { close(done) }) // to whom those that ended were still known
	<-done
}

// The next call runs where the last one did.
func TestCrewIsUsedAgain(t *testing.T) {
	life, end := context.WithCancel(t.Context())
	defer end()
	var c crew
	for i := range 100 {
		done := make(chan struct{})
		c.run(life, func() { close(done) })
		<-done
		settle(t, func() bool { return c.waiting() == 1 })
		if n := c.waiting(); n != 1 {
			t.Fatalf("after %d calls %d goroutines wait", i+1, n)
		}
	}
}

func (c *crew) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle)
}

// settle waits until something is so.
func settle(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to pass")
		}
	}
}
