package rate_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/host/rate"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func limiter(t testing.TB, cfg rate.Config) *rate.Limiter {
	t.Helper()
	l, err := rate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// take counts how many of n calls at one moment are let through.
func take(l *rate.Limiter, caller string, n int, at time.Time) (allowed int) {
	for range n {
		if l.Take(caller, at).Allowed {
			allowed++
		}
	}
	return allowed
}

func TestBurstThenRate(t *testing.T) {
	l := limiter(t, rate.Config{PerMinute: 100, Burst: 20})
	if n := take(l, "a", 50, start); n != 20 {
		t.Errorf("%d calls at once, want the burst of 20", n)
	}
	if d := l.Take("a", start); d.Allowed || d.Retry <= 0 || d.Retry > 600*time.Millisecond {
		t.Errorf("%+v: want to be told to come back in 0.6 s", d)
	}
	if n := take(l, "b", 50, start); n != 20 {
		t.Errorf("another caller got %d calls", n)
	}
	total := 0
	for i := 1; i <= 600; i++ {
		total += take(l, "a", 5, start.Add(time.Duration(i)*100*time.Millisecond))
	}
	if total < 99 || total > 101 {
		t.Errorf("%d calls in the minute after the burst, want 100", total)
	}
}

func TestRetryIsWhenACallIsLetThrough(t *testing.T) {
	l := limiter(t, rate.Config{PerMinute: 7, Burst: 1})
	take(l, "a", 1, start)
	d := l.Take("a", start)
	if take(l, "a", 1, start.Add(d.Retry-time.Millisecond)) != 0 {
		t.Error("let through before the time that was told")
	}
	if take(l, "a", 1, start.Add(d.Retry)) != 1 {
		t.Error("refused at the time that was told")
	}
}

func TestOneRefusalAMinuteIsWorthARecord(t *testing.T) {
	l := limiter(t, rate.Config{PerMinute: 1, Burst: 1})
	take(l, "a", 1, start)
	first := 0
	for i := range 1000 {
		if d := l.Take("a", start.Add(time.Duration(i)*10*time.Millisecond)); d.First {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d of a thousand refusals in ten seconds are worth a record, want 1", first)
	}
}

// Whoever makes up callers neither makes the table grow nor has anybody's bucket, his own least of all,
// filled again.
func TestInventedCallersResetNobody(t *testing.T) {
	const most = 100
	l := limiter(t, rate.Config{PerMinute: 60, Burst: 10, Callers: most})
	take(l, "victim", 10, start)
	allowed := 0
	for i := range 100_000 {
		allowed += take(l, fmt.Sprint("invented-", i), 1, start.Add(time.Duration(i)*time.Microsecond))
	}
	if n := l.Callers(); n > most {
		t.Errorf("%d buckets, want at most %d", n, most)
	}
	if allowed > most+10 {
		t.Errorf("%d calls of invented callers were let through, want at most %d and one shared burst", allowed, most)
	}
	if take(l, "victim", 1, start.Add(500*time.Millisecond)) != 0 {
		t.Error("a caller's empty bucket was filled by others")
	}
	if n := take(l, "victim", 20, start.Add(time.Minute)); n != 10 {
		t.Errorf("%d calls after a pause, want the burst", n)
	}
	// The invented ones are full again by now, and gone with the next newcomer.
	if take(l, "newcomer", 10, start.Add(time.Hour)) != 10 || l.Callers() != 1 {
		t.Errorf("%d buckets after an hour of silence, want the newcomer's", l.Callers())
	}
}

func TestConcurrentCallersShareNoTokens(t *testing.T) {
	l := limiter(t, rate.Config{PerMinute: 0.001, Burst: 50})
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if l.Take("a", time.Now()).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n != 50 {
		t.Errorf("%d calls, want 50", n)
	}
}

func TestUnusableConfig(t *testing.T) {
	for _, cfg := range []rate.Config{{}, {PerMinute: 1}, {Burst: 1}, {PerMinute: -1, Burst: 1}, {PerMinute: math.NaN(), Burst: 1}, {PerMinute: math.Inf(1), Burst: 1}} {
		if _, err := rate.New(cfg); !errors.Is(err, rate.ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if (rate.Decision{}).Allowed {
		t.Error("the zero decision lets through")
	}
}

func BenchmarkTake(b *testing.B) {
	l := limiter(b, rate.Config{PerMinute: 1e9, Burst: 1 << 30})
	b.ReportAllocs()
	for b.Loop() {
		l.Take("default/local", time.Now())
	}
}
