package registry

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A limited reading of an audit of any length holds no more than a few of its entries at a time, and
// gives the same as reading it all.
func TestNewestIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []int{0, 1, 3, 100} {
		all, kept := newest{}, newest{limit: limit}
		most := 0
		for i := range 10_000 {
			e := Entry{Seq: uint64(i), Time: time.Unix(random.Int64N(1000), 0)}
			all.add(e)
			kept.add(e)
			most = max(most, len(kept.entries))
		}
		all.sort()
		kept.sort()
		if limit > 0 && most >= 2*limit+1 {
			t.Errorf("limit %d: %d entries were held", limit, most)
		}
		want := all.entries
		if limit > 0 {
			want = want[len(want)-limit:]
		}
		if !slices.EqualFunc(kept.entries, want, func(a, b Entry) bool { return a.Seq == b.Seq }) {
			t.Errorf("limit %d: other entries than the newest", limit)
		}
	}
}
