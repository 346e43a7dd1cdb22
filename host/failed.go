package host

import (
	"errors"
	"time"
)

// How long a load that failed is not tried again: longer each time, and so much longer than it took that
// a servlet which cannot be loaded does not keep a place for loads busy.
const (
	firstPause  = time.Second
	mostPause   = time.Minute
	pauseFactor = 10 // times what it took, whatever mostPause says
)

// maxFailures bounds the failures that are remembered. Above it all are forgotten.
const maxFailures = 1024

// failedLoad is the last load of a file that failed.
type failedLoad struct {
	err        error
	generation uint64 // of the registry, before the load
	until      time.Time
	pause      time.Duration
}

// failing returns why a file cannot be loaded, without trying: nothing has changed since the last time, and
// that was just now. nil: it is to be tried. l.mu is held, here and below.
func (l *loader) failing(digest string, generation uint64) error {
	f := l.failures[digest]
	if f == nil || f.generation != generation || !time.Now().Before(f.until) {
		return nil
	}
	return f.err
}

// note remembers what a load came to that took a while.
func (l *loader) note(digest string, generation uint64, took time.Duration, err error) {
	switch last := l.failures[digest]; {
	case err == nil, errors.Is(err, errClosing):
		delete(l.failures, digest)
	default:
		pause := firstPause
		if last != nil {
			pause = min(2*last.pause, mostPause)
		}
		if len(l.failures) >= maxFailures {
			clear(l.failures)
		}
		l.failures[digest] = &failedLoad{err, generation, time.Now().Add(max(pause, pauseFactor*took)), pause}
	}
}
