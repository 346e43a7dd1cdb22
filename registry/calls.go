package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// When the background work of a call log is done.
const (
	flushAfter         = 500 * time.Millisecond // of the first entry that is not written yet
	flushBytes         = 64 << 10               // not written yet
	checkpointAfter    = time.Minute            // of the first entry without one; see tend for durable entries
	checkpointInterval = 1024                   // entries
	retryAfter         = time.Second            // of work that failed
)

// Bounds of the audit of calls, which any servlet can make grow.
const (
	defaultSegmentLimit = 64 << 20 // bytes of a segment, after which the next one begins
	defaultAuditLimit   = 1 << 30  // bytes of all segments
	roomStep            = 1 << 20  // bytes that a process adds before it measures the folder again
)

// callLog is this process's part of the audit of calls: one segment after another, each a chain of
// its own that begins at the store's chain. The first is made with the first entry.
//
// One goroutine writes batched entries, signs checkpoints and ends full segments; it starts with the
// first segment and close waits for it.
type callLog struct {
	registry     *Registry
	segmentLimit int64
	auditLimit   int64
	wake         chan struct{}
	stop         chan struct{}
	done         sync.WaitGroup

	mu      sync.Mutex
	closed  bool           // guarded by mu
	started bool           // guarded by mu; the goroutine runs
	current *openSegment   // guarded by mu; nil before the first entry
	full    []*openSegment // guarded by mu; without their last checkpoint
	room    int64          // guarded by mu; bytes that may be added before the folder is measured again
}

func (l *callLog) init(r *Registry, o Options) {
	l.registry = r
	l.segmentLimit, l.auditLimit = o.segmentLimit, o.AuditLimit
	l.wake = make(chan struct{}, 1)
	l.stop = make(chan struct{})
}

// Record appends a call event to this process's segment. With durable it is on disk when Record
// returns; otherwise it is batched (flushed within a second and by Close). Who cannot record does
// not act: an error means that the call or effect must not go on. ErrAuditFull says that all segments
// together have reached Options.AuditLimit. Seq, Chain, Prev and Hash of e are set here; Time is when
// it is zero.
func (r *Registry) Record(ctx context.Context, e Entry, durable bool) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("recording %+.40q: %w", e.Event, err)
	}
	if err := r.calls.append(ctx, e, durable); err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	return nil
}

func (l *callLog) append(ctx context.Context, e Entry, durable bool) error {
	s, seq, err := l.add(ctx, e, durable)
	if err != nil {
		return err
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	if !durable {
		return nil
	}
	return s.syncTo(l, seq)
}

// add chains e, and writes it at once when it is durable or much is waiting.
func (l *callLog) add(ctx context.Context, e Entry, durable bool) (*openSegment, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, ErrClosed
	}
	if err := l.prepareLocked(ctx); err != nil {
		return nil, 0, err
	}
	s := l.current
	line, err := e.link(s.end.Chain, s.end.Seq+1, s.end.Hash, l.registry.now())
	if err != nil {
		return nil, 0, err
	}
	line = append(line, '\n')
	if err := l.makeRoomLocked(ctx, int64(len(line))); err != nil {
		return nil, 0, err
	}
	if err := s.addLocked(e, line, durable); err != nil {
		return nil, 0, err
	}
	l.room -= int64(len(line))
	return s, e.Seq, nil
}

// prepareLocked sees to it that there is a segment which takes entries.
func (l *callLog) prepareLocked(ctx context.Context) error {
	if s := l.current; s != nil {
		// What the disk did not take before must be on it first: nothing is accepted behind it, as the
		// caller would act on a record that may never be written.
		if s.failed || len(s.pending) >= flushBytes || s.size >= l.segmentLimit {
			if err := s.writeLocked(); err != nil {
				return err
			}
		}
		if s.size < l.segmentLimit {
			return nil
		}
		l.full = append(l.full, s)
		l.current = nil
	}
	return l.createLocked(ctx)
}

// makeRoomLocked refuses what would let the audit outgrow its limit: a servlet that is called again
// and again must not fill the disk. Each process measures anew after every roomStep, so together they
// can pass the limit by that much each.
func (l *callLog) makeRoomLocked(ctx context.Context, n int64) error {
	if n <= l.room {
		return nil
	}
	used, err := l.registry.store.SegmentBytes(ctx)
	if err != nil {
		return err
	}
	free := l.auditLimit - used - int64(len(l.current.pending))
	if l.room = min(free, max(roomStep, n)); n > l.room {
		return fmt.Errorf("%w: the call events in %s have reached %d MiB; archive that folder's oldest files elsewhere (writ audit verify names them as missing until they are back)",
			ErrAuditFull, l.registry.home.file(auditFolder), l.auditLimit>>20)
	}
	return nil
}

// createLocked makes a segment: the file, then its registration in the store. A segment that was
// registered and is missing was deleted.
func (l *callLog) createLocked(ctx context.Context) error {
	r := l.registry
	if r.home.readOnly {
		return fmt.Errorf("in %s: %w", r.home.path, ErrReadOnly)
	}
	id := make([]byte, 6)
	rand.Read(id)
	name := r.now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(id)
	file, err := r.store.CreateSegment(ctx, name)
	if err != nil {
		return err
	}
	var start checkpoint
	err = r.store.Update(ctx, func(tx Tx) error {
		end, _, err := getCheckpoint(tx, storeChain)
		if errors.Is(err, ErrNotFound) {
			end.Hash = r.key.genesis()
		} else if err != nil {
			return err
		}
		start = checkpoint{Chain: name, Hash: end.Hash, Origin: end.Hash, Time: r.now()}
		return putCheckpoint(tx, start, r.key, 0)
	})
	if err != nil {
		file.Close() // left empty, which verification tolerates
		return err
	}
	l.current = &openSegment{file: file, end: start}
	if !l.started {
		l.started = true
		l.done.Go(l.work)
	}
	return nil
}

// flush writes what is pending.
func (l *callLog) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return nil
	}
	return l.current.writeLocked()
}

// chains names the segments that this process is writing.
func (l *callLog) chains() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, s := range l.full {
		names = append(names, s.end.Chain)
	}
	if l.current != nil {
		names = append(names, l.current.end.Chain)
	}
	return names
}

// work flushes and signs in the background, off the path of the calls.
func (l *callLog) work() {
	var again time.Duration
	for {
		var due <-chan time.Time
		if again > 0 {
			due = time.After(again)
		}
		select {
		case <-l.stop:
			return
		case <-due:
		case <-l.wake:
			select {
			case <-l.stop:
				return
			case <-time.After(flushAfter):
			}
		}
		again = l.tend()
	}
}

// tend writes what is pending, ends full segments, and signs what is due: at once when a durable
// entry is among it, as an effect was let happen on its word, else after a number or a minute. It
// returns when it has to be called again though nothing was recorded. Its errors are not lost: what
// could not be written refuses the next Record, and close reports what could not be signed.
func (l *callLog) tend() (again time.Duration) {
	l.mu.Lock()
	full, current := slices.Clone(l.full), l.current
	l.mu.Unlock()
	for _, s := range full {
		if l.finish(s) != nil {
			again = retryAfter
		}
	}
	if current == nil {
		return again
	}
	if l.flush() != nil {
		return retryAfter
	}
	wait, unsigned := l.untilCheckpoint(current)
	switch {
	case !unsigned:
	case wait > 0:
		if again == 0 || wait < again {
			again = wait
		}
	case l.sign(current, false) != nil:
		again = retryAfter
	}
	return again
}

// untilCheckpoint says how long the entries of s that no checkpoint covers can wait for one.
func (l *callLog) untilCheckpoint(s *openSegment) (wait time.Duration, unsigned bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.end.Seq == s.signed:
		return 0, false
	case s.durable > s.signed, s.end.Seq-s.signed >= checkpointInterval:
		return 0, true
	}
	return max(0, time.Until(s.oldest.Add(checkpointAfter))), true
}

// sign puts a checkpoint over everything in s into the store. The entries are on stable storage
// before it: a power cut must not look like a cut-off audit. Only the goroutine signs, and close
// after it.
func (l *callLog) sign(s *openSegment, last bool) error {
	l.mu.Lock()
	err := s.writeLocked()
	end := s.end
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := s.syncTo(l, end.Seq); err != nil {
		return err
	}
	end.Ended = last
	r := l.registry
	err = r.store.Update(context.Background(), func(tx Tx) error {
		_, version, err := getCheckpoint(tx, end.Chain)
		if err != nil {
			return err
		}
		return putCheckpoint(tx, end, r.key, version)
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.signed, s.oldest = end.Seq, time.Now()
	return nil
}

// finish ends a segment that takes no more entries: its last checkpoint says that nothing follows.
func (l *callLog) finish(s *openSegment) error {
	if err := l.sign(s, true); err != nil {
		return err
	}
	l.mu.Lock()
	l.full = slices.DeleteFunc(l.full, func(f *openSegment) bool { return f == s })
	l.mu.Unlock()
	return s.file.Close()
}

// close ends every segment with a checkpoint.
func (l *callLog) close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	l.done.Wait()
	open := slices.Clone(l.full) // nobody changes it any more
	if l.current != nil {
		open = append(open, l.current)
	}
	var errs []error
	for _, s := range open {
		if err := l.finish(s); err != nil {
			errs = append(errs, fmt.Errorf("closing audit: %w", err))
			s.file.Close() // again, when it was the closing that failed: that does nothing
		}
	}
	return errors.Join(errs...)
}
