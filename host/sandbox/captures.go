package sandbox

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
)

// An image that holds randomness is taken again after so many calls or so long, whichever is first, but
// not before retakePause is over: the calls of a busy servlet reach their number in a fraction of a second,
// and to take an image is the work of some hundred calls.
const (
	retakeCalls = 10_000
	retakeAfter = 10 * time.Minute
	retakePause = time.Second
)

// A capture that failed for a passing reason is tried again after retryAfter, and after twice as long each
// time that it fails again, up to retryLast: a servlet whose initialisation never ends in time would
// otherwise keep a processor busy and its calls waiting.
const (
	retryAfter = time.Second
	retryLast  = 10 * time.Minute
)

// captures takes the snapshots of one Code: the first when a call needs it or Prepare asks for it,
// later ones in the background.
type captures struct {
	code    *Code
	current atomic.Pointer[snapshot]
	calls   atomic.Int64 // since the current snapshot, as far as they are counted
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup

	mu     sync.Mutex
	flight chan struct{} // guarded by mu; closed when the capture under way ends; nil: none
	failed error         // guarded by mu; why there is no snapshot
	tried  int64         // guarded by mu; memory that the last capture could have
	again  time.Time     // guarded by mu; when to try after a passing failure
	pause  time.Duration // guarded by mu; between the last such failure and again
	closed bool          // guarded by mu
}

func (s *captures) init(c *Code) {
	s.code = c
	s.life, s.end = context.WithCancel(context.Background())
}

// get returns the snapshot for a call, the first of which waits until it is taken; nil: there is none
// for this call, which runs on rung plain.
func (s *captures) get(ctx context.Context, preopens []effect.Preopen, memory int64) *snapshot {
	shot := s.current.Load()
	if shot == nil {
		if flight := s.fly(preopens, memory); flight != nil {
			select {
			case <-flight:
			case <-ctx.Done():
				return nil
			}
		}
		if shot = s.current.Load(); shot == nil {
			return nil
		}
	}
	// What init saw has to be true for this call, or a path that it looked up would mean another.
	if int64(shot.image.Size()) > memory || !slices.Equal(shot.preopens, preopens) {
		return nil
	}
	return shot
}

// fly joins the capture under way or starts one; nil: there is nothing to wait for.
func (s *captures) fly(preopens []effect.Preopen, memory int64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.flight != nil:
		return s.flight
	case s.closed, s.current.Load() != nil:
		return nil
	case s.failed != nil && memory <= s.tried && (s.again.IsZero() || time.Now().Before(s.again)):
		return nil
	}
	return s.launch(preopens, memory)
}

// launch starts a capture. s.mu is held.
func (s *captures) launch(preopens []effect.Preopen, memory int64) <-chan struct{} {
	flight := make(chan struct{})
	s.flight = flight
	s.work.Go(func() {
		shot, err := s.take(slices.Clone(preopens), memory)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		s.land(shot, err, memory)
		close(flight)
	})
	return flight
}

func (s *captures) take(preopens []effect.Preopen, memory int64) (shot *snapshot, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.code.engine.logger.Error("capture panicked", "panic", p)
			shot, err = nil, errCapture
		}
	}()
	return s.code.capture(s.life, preopens, memory, s.current.Load() == nil)
}

// land keeps what a capture came to. A snapshot that is there stays when its successor fails. s.mu is
// held.
func (s *captures) land(shot *snapshot, err error, memory int64) {
	s.tried = memory
	if err != nil {
		s.calls.Store(0)
		s.failed, s.again = err, time.Time{}
		if passing(err) {
			s.pause = min(max(2*s.pause, retryAfter), retryLast)
			s.again = time.Now().Add(s.pause)
		}
		return
	}
	if s.closed {
		shot.image.Close()
		return
	}
	s.failed, s.pause = nil, 0
	s.calls.Store(0)
	s.code.blank.drop()
	if old := s.current.Swap(shot); old != nil {
		old.image.Close()
	}
}

// pin makes sure that a snapshot's image is not freed before unpin; false: another took its place.
func (s *captures) pin(shot *snapshot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Load() != shot {
		return false
	}
	shot.image.Hold()
	return true
}

// countEvery is after how many of its calls an instance counts them: processors that serve the same
// servlet would wait for each other's count in every call.
const countEvery = 16

// used counts a call, and starts another capture when the snapshot has served long enough. It tells
// whether the call's instance is still worth keeping.
func (s *captures) used(in *instance) bool {
	shot := in.shot
	current := s.current.Load()
	if current == nil || shot != current {
		return false
	}
	calls := s.calls.Load()
	if in.uses%countEvery == 0 {
		calls = s.calls.Add(countEvery)
	}
	age := in.since.Sub(shot.taken)
	if shot.frozen == 0 && shot.drawn == 0 || age < retakeAfter && (calls < retakeCalls || age < retakePause) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == nil && !s.closed && s.current.Load() == shot {
		s.launch(shot.preopens, s.tried)
	}
	return true
}

// rung corrects what the module's shape allows by what the capture came to.
func (s *captures) rung(rung Rung, why string) (Rung, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current.Load() != nil:
		return rung, why
	case s.failed != nil:
		return RungPlain, s.failed.Error()
	}
	return RungPlain, "no image has been taken yet"
}

// close ends the captures under way.
func (s *captures) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.work.Wait()
}

// drop lets go of the snapshot.
func (s *captures) drop() {
	if shot := s.current.Swap(nil); shot != nil {
		shot.image.Close()
	}
}

// Prepare takes the image that calls start from, unless it is there: init and warm-up run, with every
// request refused. It is for after the approval, never before. preopens are the manifest's directories,
// as the Host of every call has them; memory is what a call is granted, bytes. An error says why calls
// will run on rung plain; they do run.
func (c *Code) Prepare(ctx context.Context, preopens []effect.Preopen, memory int64) error {
	if c.best == RungPlain {
		return fmt.Errorf("taking image: %s", c.why)
	}
	if flight := c.captures.fly(preopens, memory); flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return fmt.Errorf("taking image: %w", ctx.Err())
		}
	}
	if _, why := c.Rung(); c.captures.current.Load() == nil {
		return fmt.Errorf("taking image: %s", why)
	}
	return nil
}
