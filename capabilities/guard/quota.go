package guard

import "sync"

// The limits of one call.
const (
	maxHandles  = 64        // files and directories open at once, beside the preopens
	maxWritten  = 256 << 20 // bytes by which files are written or grown
	maxCreated  = 10_000    // files and directories created
	maxListed   = 200_000   // directory entries kept for open directories, all together
	maxListing  = 100_000   // entries of one directory
	maxRead     = 2_000_000 // directory entries read, those read again included
	maxFileSize = 1 << 40   // offset behind which nothing is read or written, bytes
)

// spending is what a call has used of its file quotas.
type spending struct {
	mu       sync.Mutex
	written  int64
	created  int
	listed   int
	read     int // directory entries
	requests int // HTTP exchanges
}

func (s *spending) write(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 || n > maxWritten-s.written {
		return false
	}
	s.written += n
	return true
}

func (s *spending) create() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.created >= maxCreated {
		return false
	}
	s.created++
	return true
}

// list takes room for n entries; a negative n gives it back.
func (s *spending) list(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > maxListed-s.listed {
		return false
	}
	s.listed += n
	return true
}

// look takes n of the directory entries that may be read: they cost the host time, which a guest
// that rewinds again and again does not pay for.
func (s *spending) look(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > maxRead-s.read {
		return false
	}
	s.read += n
	return true
}

// request takes one of limit exchanges.
func (s *spending) request(limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests >= limit {
		return false
	}
	s.requests++
	return true
}
