package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// taken is a figure whose rounds have these medians.
func taken(name, unit string, medians ...float64) Figure {
	var rounds [][]float64
	for _, m := range medians {
		rounds = append(rounds, []float64{m, m, m})
	}
	return figure(name, unit, rounds)
}

func TestJudge(t *testing.T) {
	figures := map[string]Figure{
		"fresh/go":    taken("fresh/go", "us", 40, 44, 60),
		"same/go":     taken("same/go", "us", 20, 22, 20),
		"slow":        figure("slow", "ms", [][]float64{{1, 1, 1, 1, 1, 1, 1, 1, 1, 60}}),
		"wasmtime/go": {Name: "wasmtime/go", Unit: "us", LeftOut: "no compiler"},
	}
	for _, c := range []struct {
		name   string
		target target
		want   verdict
	}{
		{"median at the limit", target{figure: "fresh/go", value: 44}, reached},
		{"median above the limit", target{figure: "fresh/go", value: 43.9}, missed},
		{"median below a floor", target{figure: "fresh/go", atLeast: true, value: 45}, missed},
		{"median above a floor", target{figure: "fresh/go", atLeast: true, value: 44}, reached},
		{"ratio of pairs at the limit", target{figure: "fresh/go", yardstick: "same/go", value: 2}, reached},
		{"ratio of pairs above the limit", target{figure: "fresh/go", yardstick: "same/go", value: 1.99}, missed},
		{"tail above the limit", target{figure: "slow", p99: true, value: 50}, missed},
		{"median of a figure with a tail", target{figure: "slow", value: 50}, reached},
		{"yardstick left out", target{figure: "fresh/go", yardstick: "wasmtime/go", value: 1}, unjudged},
		{"figure not taken", target{figure: "fresh/c", value: 1}, unjudged},
	} {
		if got, found := judge(c.target, figures); got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, found, c.want)
		}
	}
}

func TestTargetsReadAsTheyAreMeant(t *testing.T) {
	for want, target := range map[string]target{
		"<= 45 us":      {figure: "fresh/go", value: 45},
		"<= 2.5x":       {figure: "fresh/go", yardstick: "same/go", value: 2.5},
		">= 100x below": {figure: "fresh/go", yardstick: "plain/go", value: 0.01},
		">= 1.7x":       {figure: "throughput/go/2", yardstick: "throughput/go/1", atLeast: true, value: 1.7},
		"<= 0.15 MB":    {figure: "pss/go-idle", value: 150_000},
		"p99 <= 50 ms":  {figure: "deadline/overrun", p99: true, value: 50},
		"<= 20 %":       {figure: "fuel/geomean", value: 20},
	} {
		if got := target.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTableSaysWhatIsMissedAndWhatIsMissing(t *testing.T) {
	var out bytes.Buffer
	misses := table(&out, []Figure{
		taken("fresh/go", "us", 100, 100, 100), taken("same/go", "us", 50, 50, 50),
		{Name: "plain/go", Unit: "us", LeftOut: "no runtime"},
	})
	if misses != 1 {
		t.Errorf("%d targets were missed, want 1", misses)
	}
	for _, want := range []string{
		"<= 45 us MISSED", "<= 2.5x ok", ">= 100x below not judged", "left out: plain/go: no runtime",
		"1 ok, 1 MISSED, 17 not judged; figures: 2, and 1 left out",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestRatioComparesRoundsThatWereTakenTogether(t *testing.T) {
	f, g := taken("fresh/go", "us", 10, 100, 1000), taken("same/go", "us", 5, 50, 500)
	if r := ratio(f, g); r != 2 {
		t.Errorf("ratio %v, want 2", r)
	}
	if f.P50 != 100 || f.P99 != 1000 || f.N != 9 {
		t.Errorf("figure %+v", f)
	}
}

func TestFuelIsSummedUp(t *testing.T) {
	kinds := []Figure{taken("fuel/json", "%", 21, 21, 21), taken("fuel/sort", "%", 0, 0, 0)}
	if f := combine("fuel/geomean", kinds, geomean); f.P50 < 9.999 || f.P50 > 10.001 || f.N != 9 {
		t.Errorf("geometric mean %+v, want 10 %%", f)
	}
	if f := combine("fuel/worst", kinds, slices.Max); f.P50 != 21 || f.P99 != 21 {
		t.Errorf("worst %+v, want 21 %%", f)
	}
}
