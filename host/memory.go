package host

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
)

// memory shares a budget of bytes among the guests of running calls, in the order in which they ask:
// a large call is not overtaken for ever by small ones. Counted is what a guest may grow to, since no
// growth can be taken back once the guest has it.
type memory struct {
	budget int64

	mu    sync.Mutex
	used  int64    // guarded by mu
	queue []*claim // guarded by mu; longest waiting first
}

// claim is a call that waits for its share.
type claim struct {
	bytes int64
	given chan struct{} // closed, under memory.mu, when it has it
}

// take waits for a share until ctx ends. bytes is at most the budget. give takes it back.
func (m *memory) take(ctx context.Context, bytes int64) error {
	m.mu.Lock()
	c := &claim{bytes: bytes, given: make(chan struct{})}
	m.queue = append(m.queue, c)
	m.serve()
	m.mu.Unlock()
	select {
	case <-c.given:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-c.given: // at the same moment: the caller is told that it has nothing
		m.used -= bytes
	default:
		m.queue = slices.DeleteFunc(m.queue, func(other *claim) bool { return other == c })
	}
	m.serve() // it may have been all that stood in the way of the next
	return context.Cause(ctx)
}

func (m *memory) give(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= bytes
	m.serve()
}

// serve lets in who is first, as long as there is room. m.mu is held.
func (m *memory) serve() {
	for len(m.queue) > 0 && m.used+m.queue[0].bytes <= m.budget {
		first := m.queue[0]
		m.queue = slices.Delete(m.queue, 0, 1)
		m.used += first.bytes
		close(first.given)
	}
}

// unknownMemory is the budget on a machine that does not say how much it has.
const unknownMemory = 2 << 30

// defaultMemory is half of what there is, so that the other half is left to code, to files in the
// system's cache and to other programs. A container may be smaller than the machine below it.
func defaultMemory() int64 {
	return budgetFor(read("/proc/meminfo"), read("/sys/fs/cgroup/memory.max"))
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // another system
	}
	return text
}

// budgetFor reads what the kernel says: "MemTotal:  8039872 kB", and a number of bytes or "max".
// Source: proc_meminfo(5); the kernel's cgroup-v2, "memory.max".
func budgetFor(meminfo, limit []byte) int64 {
	total := int64(0)
	for line := range bytes.Lines(meminfo) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "MemTotal:" && string(fields[2]) == "kB" {
			if kb, err := strconv.ParseInt(string(fields[1]), 10, 53); err == nil {
				total = kb << 10
			}
		}
	}
	if own, err := strconv.ParseInt(string(bytes.TrimSpace(limit)), 10, 64); err == nil && own > 0 && (total <= 0 || own < total) {
		total = own
	}
	if total <= 0 {
		return unknownMemory
	}
	return total / 2
}
