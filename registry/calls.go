package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// When the background work of a call log is done.
const (
	flushAfter         = 500 * time.Millisecond // of the first entry that is not written yet
	flushBytes         = 64 << 10               // not written yet
	checkpointAfter    = time.Minute            // of the first entry without one
	checkpointInterval = 1024                   // entries
)

// callLog is this process's segment of call events: entries chained to each other and, at their
// beginning, to the store's chain. It is made with the first entry.
//
// One goroutine writes batched entries and signs checkpoints; it starts with the segment and close
// waits for it.
type callLog struct {
	registry *Registry
	wake     chan struct{}
	stop     chan struct{}
	done     sync.WaitGroup

	mu      sync.Mutex
	closed  bool       // guarded by mu
	segment Segment    // guarded by mu; nil before the first entry
	end     checkpoint // guarded by mu; of the last entry, written or not
	pending []byte     // guarded by mu; lines not written yet
	written uint64     // guarded by mu; number of the last entry written

	// Never taken while mu is held, but before it.
	syncing sync.Mutex
	synced  uint64 // guarded by syncing; number of the last entry on stable storage

	signing sync.Mutex
	signed  uint64 // guarded by signing; number of the last entry under a checkpoint
}

func (l *callLog) init(r *Registry) {
	l.registry = r
	l.wake = make(chan struct{}, 1)
	l.stop = make(chan struct{})
}

// Record appends a call event to this process's segment. With durable it is on disk when Record
// returns; otherwise it is batched (flushed within a second and by Close). Who cannot record does
// not act: an error means that the call or effect must not go on. Seq, Chain, Prev and Hash of e are
// set here; Time is when it is zero.
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
	seq, err := l.add(ctx, e, durable)
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
	return l.syncTo(seq)
}

// add chains e, and writes it at once when it is durable or much is waiting.
func (l *callLog) add(ctx context.Context, e Entry, write bool) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ErrClosed
	}
	if err := l.createLocked(ctx); err != nil {
		return 0, err
	}
	if len(l.pending) >= flushBytes {
		// The disk did not take the entries before: nothing is accepted behind them.
		if err := l.writeLocked(); err != nil {
			return 0, err
		}
	}
	line, err := e.link(l.end.Chain, l.end.Seq+1, l.end.Hash, l.registry.now())
	if err != nil {
		return 0, err
	}
	l.pending = append(append(l.pending, line...), '\n')
	l.end.Seq, l.end.Hash, l.end.Time = e.Seq, e.Hash, e.Time
	if !write && len(l.pending) < flushBytes {
		return e.Seq, nil
	}
	if err := l.writeLocked(); err != nil {
		if rest := len(l.pending) - len(line) - 1; rest >= 0 {
			// Nothing of it is on disk: take it back, so that the audit does not tell of what was refused.
			l.pending = l.pending[:rest]
			l.end.Seq, l.end.Hash = e.Seq-1, e.Prev
		}
		return 0, err
	}
	return e.Seq, nil
}

// createLocked makes the segment: the file, then its registration in the store. A segment that was
// registered and is missing was deleted.
func (l *callLog) createLocked(ctx context.Context) error {
	if l.segment != nil {
		return nil
	}
	r := l.registry
	if r.home.readOnly {
		return fmt.Errorf("in %s: %w", r.home.path, ErrReadOnly)
	}
	id := make([]byte, 6)
	rand.Read(id)
	name := r.now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(id)
	segment, err := r.store.CreateSegment(ctx, name)
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
		segment.Close() // left empty, which verification tolerates
		return err
	}
	l.segment, l.end = segment, start
	l.done.Go(l.work)
	return nil
}

// writeLocked writes what is pending. After a short write the rest stays pending: the next write
// goes on where this one ended.
func (l *callLog) writeLocked() error {
	if len(l.pending) == 0 {
		return nil
	}
	n, err := l.segment.Write(l.pending)
	l.pending = append(l.pending[:0], l.pending[n:]...)
	if err != nil {
		return fmt.Errorf("writing audit: %v", err)
	}
	l.written = l.end.Seq
	return nil
}

// syncTo returns when entry seq, which is written, is on stable storage. Entries that were written
// while another sync ran share the next one.
func (l *callLog) syncTo(seq uint64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= seq {
		return nil
	}
	l.mu.Lock()
	segment, written := l.segment, l.written
	l.mu.Unlock()
	if err := segment.Sync(); err != nil {
		return fmt.Errorf("writing audit: %v", err)
	}
	l.synced = written
	return nil
}

// flush writes what is pending and returns the end of what is written.
func (l *callLog) flush() (checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.segment == nil {
		return checkpoint{}, nil
	}
	err := l.writeLocked()
	return l.end, err
}

// sign puts a checkpoint over everything written so far into the store. The entries are on stable
// storage before it: a power cut must not look like a cut-off audit.
func (l *callLog) sign(ctx context.Context) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	end, err := l.flush()
	if err != nil || end.Seq == l.signed {
		return err
	}
	if err := l.syncTo(end.Seq); err != nil {
		return err
	}
	r := l.registry
	err = r.store.Update(ctx, func(tx Tx) error {
		_, version, err := getCheckpoint(tx, end.Chain)
		if err != nil {
			return err
		}
		return putCheckpoint(tx, end, r.key, version)
	})
	if err == nil {
		l.signed = end.Seq
	}
	return err
}

// work flushes and signs in the background. Its errors are not lost: what could not be written
// stays pending and fails the next Record that has to write, and close.
func (l *callLog) work() {
	var oldest time.Time // of the entries without a checkpoint
	for {
		var due <-chan time.Time
		if !oldest.IsZero() {
			due = time.After(time.Until(oldest.Add(checkpointAfter)))
		}
		select {
		case <-l.stop:
			return
		case <-due:
		case <-l.wake:
			if oldest.IsZero() {
				oldest = time.Now()
			}
			select {
			case <-l.stop:
				return
			case <-time.After(flushAfter):
			}
		}
		end, err := l.flush()
		l.signing.Lock()
		unsigned := end.Seq - l.signed
		l.signing.Unlock()
		if err == nil && (unsigned >= checkpointInterval || time.Since(oldest) >= checkpointAfter) {
			if l.sign(context.Background()) == nil {
				oldest = time.Time{}
			} else {
				oldest = time.Now() // try again a minute later
			}
		}
	}
}

// close ends the segment with a checkpoint.
func (l *callLog) close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	segment := l.segment
	l.mu.Unlock()
	close(l.stop)
	l.done.Wait()
	if segment == nil {
		return nil
	}
	err := l.sign(context.Background())
	if closing := segment.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("closing audit: %w", err)
	}
	return nil
}
