// Bench is the other process of testdata/bench: it runs the benchmarks' work in other runtimes, and in
// this project's runtime without isolation. It reads a line of JSON for each round of samples and
// answers one; in between it does nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/writ-run/writ/testdata/bench/job"
)

// question and reply are as in testdata/bench.
type (
	question struct {
		Row   string `json:"row"`
		First int    `json:"first"`
		N     int    `json:"n"` // 0: make it ready
	}
	reply struct {
		Samples []float64 `json:"samples"`
		Error   string    `json:"error,omitempty"`
	}
)

// sampler takes n samples, the first of call number first.
type sampler func(first, n int) ([]float64, error)

// shop keeps what is open.
type shop struct {
	dir      string // has <language>.module.wasm
	samplers map[string]sampler
	compute  *compute // nil before the first fuel row
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: bench DIR: it is started by testdata/bench")
	}
	s := &shop{dir: os.Args[1], samplers: map[string]sampler{}}
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var q question
		if in.Decode(&q) != nil {
			return // the other process ended
		}
		var r reply
		samples, err := s.answer(q)
		if r.Samples = samples; err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			log.Fatal("bench: ", err)
		}
	}
}

func (s *shop) answer(q question) ([]float64, error) {
	sample := s.samplers[q.Row]
	if sample == nil {
		var err error
		if sample, err = s.open(q.Row); err != nil {
			return nil, fmt.Errorf("%s: %w", q.Row, err)
		}
		s.samplers[q.Row] = sample
	}
	if q.N == 0 {
		return nil, nil
	}
	return sample(q.First, q.N)
}

func (s *shop) open(row string) (sampler, error) {
	kind, rest, _ := strings.Cut(row, "/")
	language, variant, _ := strings.Cut(rest, "/")
	switch kind {
	case "same":
		return calls(open(openSame, s, language))
	case "plain":
		return calls(open(openPlain, s, language))
	case "extism":
		return calls(open(openExtism, s, "extism"))
	case "wasmtime":
		if variant == "plain" {
			return calls(open(openWasmtime, s, language))
		}
		return calls(open(openBaked, s, language))
	case "fuel":
		return s.openFuel(rest)
	}
	return nil, fmt.Errorf("no such row")
}

// call answers one request.
type call func(request []byte) ([]byte, error)

// open reads a module and makes it ready for calls.
func open(prepare func(module []byte) (call, error), s *shop, name string) (call, error) {
	module, err := os.ReadFile(filepath.Join(s.dir, name+".module.wasm"))
	if err != nil {
		return nil, err
	}
	return prepare(module)
}

// calls samples calls, in microseconds, and checks their answers.
func calls(do call, err error) (sampler, error) {
	if err != nil {
		return nil, err
	}
	return func(first, n int) ([]float64, error) {
		samples := make([]float64, 0, n)
		for i := first; i < first+n; i++ {
			request := job.Request(job.Sum, i)
			start := time.Now()
			out, err := do(request)
			took := time.Since(start)
			if err == nil {
				err = job.Check(out, i)
			}
			if err != nil {
				return nil, err
			}
			samples = append(samples, float64(took.Nanoseconds())/1e3)
		}
		return samples, nil
	}, nil
}
