package main

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A process that starts collects no garbage until it has allocated startingObjects bytes, or startingTime
// is over.
const (
	startingTime    = 5 * time.Second
	startingLook    = 100 * time.Millisecond
	startingObjects = 32 << 20
	startingMemory  = 64 << 20 // where garbage is collected all the same
)

// easeStart lets the collector of garbage wait while this process starts: what was read then is garbage
// soon, and collecting it takes a tenth of the time for which the first call waits. It leaves settings of
// the user's (GOGC, GOMEMLIMIT) alone.
func (a *app) easeStart() (end func()) {
	if a.getenv("GOGC") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	debug.SetMemoryLimit(startingMemory)
	usual := debug.SetGCPercent(-1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		// Not for longer than it has to be: far above the limit, collecting would be half of all work.
		defer func() {
			debug.SetGCPercent(usual)
			debug.SetMemoryLimit(math.MaxInt64)
		}()
		look := time.NewTicker(startingLook)
		defer look.Stop()
		for range startingTime / startingLook {
			if allocated() >= startingObjects {
				return
			}
			select {
			case <-look.C:
			case <-stop:
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// allocated is how many bytes the program's objects take, those included that are garbage.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return math.MaxUint64 // a later Go, which does not tell
	}
	return sample[0].Value.Uint64()
}
