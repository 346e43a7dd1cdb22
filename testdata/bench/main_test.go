package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

// another is the figures that a process with other runtimes takes. It is built of a hundred megabytes
// of modules, which no test downloads.
func another(name string) bool {
	kind, _, _ := strings.Cut(name, "/")
	return slices.Contains([]string{"same", "plain", "extism", "wasmtime", "fuel"}, kind)
}

// TestQuickRunHasEveryFigure runs everything that a full run does, with next to no samples, as programs
// without the race detector. It measures nothing.
func TestQuickRunHasEveryFigure(t *testing.T) {
	root, err := house.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := func(name, pkg string, env ...string) string {
		path := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
		cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", pkg, err, text)
		}
		return path
	}
	writ, program := build("writ", "./cmd/writ", "CGO_ENABLED=0"), build("bench", "./testdata/bench")
	var only []string
	for _, p := range promised {
		if !another(p.name) {
			only = append(only, p.name)
		}
	}
	out, text := filepath.Join(dir, "bench.json"), filepath.Join(dir, "bench.txt")
	cmd := exec.Command(program, "-quick", "-writ", writ, "-servlet", writ, "-o", out, "-text", text, "-only", strings.Join(only, ","))
	cmd.Dir = root
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	var figures []Figure
	data, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(data, &figures)
	}
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range only {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(figures, func(f Figure) bool { return f.Name == name })
			if i < 0 {
				t.Fatal("it is not among the figures")
			}
			switch f := figures[i]; {
			case f.LeftOut != "":
				t.Skip(f.LeftOut)
			case f.N == 0 || f.Unit != unitOf(name) || f.P50 == 0 && !strings.HasPrefix(name, "pss/"):
				t.Errorf("figure %+v", f)
			case !strings.Contains(string(lines), "Benchmark"+strings.ToUpper(name[:1])+name[1:]+"-"):
				t.Errorf("it is not among the lines for benchstat:\n%s", lines)
			}
		})
	}
}

func TestUnknownFigureIsRefused(t *testing.T) {
	if _, err := newBench("", "", "", "fresh/go,fresh/cobol", false); err == nil || !strings.Contains(err.Error(), `"fresh/cobol"`) {
		t.Errorf("error %v", err)
	}
}

// required are the figures that the project's plan names. A name may be added, never dropped.
const required = `fresh/c fresh/rust fresh/js fresh/go call/c call/rust call/js call/go same/c same/rust same/js same/go plain/c plain/rust plain/js plain/go
extism/go wasmtime/go throughput/go/1 throughput/go/2 throughput/call/1 throughput/call/2 fresh/go-dirty-1m fresh/js-alloc
fresh/c/portable fresh/rust/portable fresh/js/portable fresh/go/portable
fuel/sha256 fuel/json fuel/regexp fuel/sort fuel/mandelbrot fuel/geomean fuel/worst
deadline/overrun pss/go-idle rss/js-200 restart/50 stdio/call http/call first/answer newcomer/seconds install/go size/writ rss/1 rss/50`

func TestPromisesHoldTogether(t *testing.T) {
	names := map[string]bool{}
	for _, p := range promised {
		if names[p.name] || p.n < 1 || benchUnits[p.unit].name == "" {
			t.Errorf("promise %+v is a second one of its name, has no samples or an unknown unit", p)
		}
		names[p.name] = true
	}
	for _, name := range strings.Fields(required) {
		if !names[name] {
			t.Errorf("%s is not promised any more", name)
		}
	}
	for _, target := range targets {
		if !names[target.figure] || target.yardstick != "" && !names[target.yardstick] {
			t.Errorf("target %+v is about a figure that nobody takes", target)
		}
	}
	for figure, yardstick := range yardsticks {
		if !names[figure] || !names[yardstick] {
			t.Errorf("%s is compared with %s: one of them is not a figure", figure, yardstick)
		}
	}
}
