package registry

import (
	"fmt"
	"sync"
	"time"
)

// openSegment is a segment that this process writes. What has no guard of its own here is guarded by
// the call log's mu.
type openSegment struct {
	file    Segment
	end     checkpoint // of the last entry, written or not
	size    int64      // bytes, written or not
	pending []byte     // lines not written yet
	failed  bool       // the last write did not take everything; the next entry is written at once
	written uint64     // number of the last entry written
	durable uint64     // number of the last entry whose caller was promised that it stays
	signed  uint64     // number of the last entry under a checkpoint
	oldest  time.Time  // of the entries without a checkpoint, or a little older

	// Never taken while the call log's mu is held, but before it.
	syncing sync.Mutex
	synced  uint64 // guarded by syncing; number of the last entry on stable storage
}

// addLocked appends an entry that was linked to the last one.
func (s *openSegment) addLocked(e Entry, line []byte, durable bool) error {
	before := s.end
	s.pending = append(s.pending, line...)
	s.end.Seq, s.end.Hash, s.end.Time = e.Seq, e.Hash, e.Time
	s.size += int64(len(line))
	// While the disk takes nothing, nothing is batched either: the caller would act on it.
	if durable || s.failed || len(s.pending) >= flushBytes {
		if err := s.writeLocked(); err != nil {
			if rest := len(s.pending) - len(line); rest >= 0 {
				// Nothing of it is on disk: take it back, so that the audit does not tell of what was refused.
				s.pending = s.pending[:rest]
				s.end = before
				s.size -= int64(len(line))
			}
			return err
		}
	}
	if before.Seq == s.signed {
		s.oldest = time.Now()
	}
	if durable {
		s.durable = e.Seq
	}
	return nil
}

// writeLocked writes what is pending. After a short write the rest stays pending: the next write
// goes on where this one ended.
func (s *openSegment) writeLocked() error {
	if len(s.pending) == 0 {
		return nil
	}
	n, err := s.file.Write(s.pending)
	s.pending = s.pending[:copy(s.pending, s.pending[n:])]
	if s.failed = err != nil; s.failed {
		return fmt.Errorf("writing audit: %v", err)
	}
	s.written = s.end.Seq
	return nil
}

// syncTo returns when entry seq, which is written, is on stable storage. Entries that were written
// while another sync ran share the next one.
func (s *openSegment) syncTo(l *callLog, seq uint64) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if s.synced >= seq {
		return nil
	}
	l.mu.Lock()
	written := s.written
	l.mu.Unlock()
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("writing audit: %v", err)
	}
	s.synced = written
	return nil
}
