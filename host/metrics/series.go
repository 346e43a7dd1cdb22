package metrics

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// counter only grows.
type counter struct{ n atomic.Uint64 }

func (c *counter) add(n uint64) { c.n.Add(n) }

// maxValues bounds the values of one label.
const maxValues = 100

// labelled are counters by the value of a label.
type labelled struct {
	mu     sync.RWMutex
	values map[string]*counter // guarded by mu
}

func newLabelled(values ...string) *labelled {
	l := &labelled{values: map[string]*counter{}}
	for _, v := range values {
		l.values[v] = &counter{}
	}
	return l
}

func (l *labelled) add(value string, n uint64) {
	l.mu.RLock()
	c := l.values[value]
	l.mu.RUnlock()
	if c == nil {
		c = l.make(value)
	}
	c.add(n)
}

func (l *labelled) make(value string) *counter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.values) >= maxValues {
		value = "other"
	}
	if l.values[value] == nil {
		l.values[value] = &counter{}
	}
	return l.values[value]
}

// all are the values in order, with their counts.
func (l *labelled) all() (names []string, counts map[string]uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	counts = map[string]uint64{}
	for name, c := range l.values {
		counts[name] = c.n.Load()
	}
	return slices.Sorted(maps.Keys(counts)), counts
}

// histogram counts observations by their size.
type histogram struct {
	bounds []float64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Uint64   // bits of a float64
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

func (h *histogram) observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}
