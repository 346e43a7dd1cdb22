package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table prints each figure beside its yardsticks and targets, and then the sums. It returns how many
// targets were missed.
func table(out io.Writer, figures []Figure) (misses int) {
	byName := map[string]Figure{}
	for _, f := range figures {
		byName[f.Name] = f
	}
	counts := map[verdict]int{}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tp50\tp99\tunit\tn\tbeside\tp50\tratio\ttarget\t")
	for _, f := range figures {
		if f.LeftOut != "" {
			continue // below
		}
		lines := f.lines(byName, counts)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", f.Name, number(f.P50), number(f.P99), f.Unit, f.N, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(w, "\t\t\t\t\t%s\n", line)
		}
	}
	w.Flush()
	without := 0
	for _, f := range figures {
		if f.LeftOut != "" {
			without++
			fmt.Fprintf(out, "left out: %s: %s\n", f.Name, f.LeftOut)
		}
	}
	// A target whose figure or yardstick is not there is counted too.
	for _, t := range targets {
		if v, _ := judge(t, byName); v == unjudged {
			counts[v]++
		}
	}
	fmt.Fprintf(out, "targets: %d ok, %d MISSED, %d not judged; figures: %d, and %d left out\n",
		counts[reached], counts[missed], counts[unjudged], len(figures)-without, without)
	return counts[missed]
}

// lines are the right half of a figure's rows: beside, its median, ratio, target.
func (f Figure) lines(byName map[string]Figure, counts map[verdict]int) (lines []string) {
	beside := func(name string) string {
		g, ok := byName[name]
		if !ok || g.N == 0 {
			return "\t\t"
		}
		r := ratio(f, g)
		if r < 0.5 {
			return fmt.Sprintf("%s\t%s\t1/%.3g", g.Name, number(g.P50), 1/r)
		}
		return fmt.Sprintf("%s\t%s\t%.3g", g.Name, number(g.P50), r)
	}
	for _, t := range targets {
		if t.figure != f.Name {
			continue
		}
		v, _ := judge(t, byName)
		if v == unjudged {
			lines = append(lines, fmt.Sprintf("%s\t\t\t%s not judged", t.yardstick, t))
			continue
		}
		counts[v]++
		lines = append(lines, fmt.Sprintf("%s\t%s %s", beside(t.yardstick), t, v))
	}
	if y := yardsticks[f.Name]; byName[y].N > 0 {
		lines = append(lines, beside(y)+"\t")
	}
	if len(lines) == 0 {
		lines = []string{"\t\t\t"}
	}
	return lines
}

// number has four digits and no exponent.
func number(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.1f", v)
	case v >= 10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
