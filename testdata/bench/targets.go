package main

import "fmt"

// target is what a figure has to reach. Of a figure and its yardstick the ratio counts.
type target struct {
	figure    string
	yardstick string // empty: the figure itself
	p99       bool   // the 99th percentile, else the median
	atLeast   bool   // else at most
	value     float64
}

const mb = 1e6

// targets are all that the project promises of its speed and size.
var targets = []target{
	{figure: "fresh/c", value: 6},
	{figure: "fresh/rust", value: 7},
	{figure: "fresh/js", value: 25},
	{figure: "fresh/go", value: 45},
	{figure: "fresh/c", yardstick: "same/c", value: 2.5},
	{figure: "fresh/rust", yardstick: "same/rust", value: 2.5},
	{figure: "fresh/js", yardstick: "same/js", value: 2.5},
	{figure: "fresh/go", yardstick: "same/go", value: 2.5},
	{figure: "fresh/go", yardstick: "plain/go", value: 1. / 100},
	{figure: "fresh/go", yardstick: "wasmtime/go", value: 1. / 4},
	{figure: "fresh/go", yardstick: "extism/go", value: 1. / 100},
	{figure: "throughput/go/2", yardstick: "throughput/go/1", atLeast: true, value: 1.7},
	{figure: "fuel/geomean", value: 20},
	{figure: "fuel/worst", value: 35},
	{figure: "deadline/overrun", p99: true, value: 50},
	{figure: "restart/50", value: 100},
	{figure: "first/answer", value: 1000},
	{figure: "rss/js-200", value: 150 * mb},
	{figure: "pss/go-idle", value: 0.15 * mb},
}

// yardsticks are compared with and promise nothing.
var yardsticks = map[string]string{
	"call/c": "fresh/c", "call/rust": "fresh/rust", "call/js": "fresh/js", "call/go": "fresh/go",
	"fresh/go": "spawn/go", "fresh/go/portable": "plain/go",
	"stdio/call": "stdio/floor", "http/call": "http/floor",
}

// verdict is what became of a target.
type verdict string

const (
	reached  verdict = "ok"
	missed   verdict = "MISSED"
	unjudged verdict = "left out"
)

// judge compares the figures with a target. found is the figure, or its ratio to the yardstick.
func judge(t target, figures map[string]Figure) (v verdict, found float64) {
	f, g := figures[t.figure], figures[t.yardstick]
	if f.N == 0 || t.yardstick != "" && g.N == 0 {
		return unjudged, 0
	}
	switch {
	case t.yardstick != "":
		found = ratio(f, g)
	case t.p99:
		found = f.P99
	default:
		found = f.P50
	}
	if t.atLeast && found >= t.value || !t.atLeast && found <= t.value {
		return reached, found
	}
	return missed, found
}

// String is the target as a person reads it: "<= 45 us", "100x below".
func (t target) String() string {
	sign := "<="
	if t.atLeast {
		sign = ">="
	}
	switch {
	case t.yardstick != "" && t.value < 1:
		return fmt.Sprintf(">= %.3gx below", 1/t.value)
	case t.yardstick != "":
		return fmt.Sprintf("%s %.3gx", sign, t.value)
	}
	value, unit := t.value, unitOf(t.figure)
	if unit == "bytes" {
		value, unit = value/mb, "MB"
	}
	text := fmt.Sprintf("%s %.4g %s", sign, value, unit)
	if t.p99 {
		text = "p99 " + text
	}
	return text
}

func unitOf(name string) string {
	for _, p := range promised {
		if p.name == name {
			return p.unit
		}
	}
	return ""
}
