package resources

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/testdata/hostile/attack"
)

// figures are what was measured while a trial ran.
type figures struct {
	resident int64       // peak, bytes
	blind    bool        // resident memory is not known here
	quiet    observation // of the other caller before the attack
	cheap    observation
	ping     observation
	late     []time.Duration // after the deadline; negative: before it
}

func (f *figures) add(one figures, t trial) {
	if over := one.resident - t.granted(); over > f.resident || f.resident == 0 {
		f.resident = over
	}
	f.blind = f.blind || one.blind
	f.quiet.Walls = append(f.quiet.Walls, one.quiet.Walls...)
	f.cheap.Walls = append(f.cheap.Walls, one.cheap.Walls...)
	f.ping.Walls = append(f.ping.Walls, one.ping.Walls...)
	f.late = append(f.late, one.late...)
}

// tell prints the figures of a row. What the others waited is the machine's doing as well as the host's:
// beside it stands what they waited before the attack, and a figure above its bound is marked.
func (f figures) tell(r *attack.Report) {
	var late []time.Duration
	for _, d := range f.late {
		late = append(late, max(d, 0))
	}
	if len(late) > 0 {
		r.Detail("stopped after its deadline: p99 %s, at most %s", marked(quantile(late, .99), maxP99), marked(quantile(late, 1), maxLate))
	}
	switch {
	case raced:
		r.Skip("the bound of resident memory", "the race detector takes memory of its own")
	case f.blind:
		r.Skip("the bound of resident memory", "this system does not tell it")
	default:
		r.Detail("resident beside what is granted: at most %d MiB", f.resident>>20)
	}
	r.Detail("another caller: p50 %s, p99 %s (before: %s, %s)", ms(quantile(f.cheap.Walls, .5)), marked(quantile(f.cheap.Walls, .99), maxCheap),
		ms(quantile(f.quiet.Walls, .5)), ms(quantile(f.quiet.Walls, .99)))
	r.Detail("a second client's ping: p50 %s, p99 %s", ms(quantile(f.ping.Walls, .5)), marked(quantile(f.ping.Walls, .99), maxPing))
}

// marked is a time with its bound, when it is above it.
func marked(d, bound time.Duration) string {
	if d > bound {
		return fmt.Sprintf("%s (above %s)", ms(d), ms(bound))
	}
	return ms(d)
}

func ms(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.2f", float64(d)/1e6), ".00") + " ms"
}

// quantile is the smallest of all values that is not below a part of them.
func quantile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}
