// The benchmarks' servlet in Go, made as an author makes it: one tool that decodes its arguments, adds
// numbers, looks an entry of a table up that was filled at the start, and answers a text. The servlets
// in the other folders do the same in their languages.
package main

import (
	"context"
	"fmt"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

type input struct {
	Op   string `json:"op" description:"What to do"`
	Nums []int  `json:"nums,omitempty" description:"What to add"`
	Text string `json:"text,omitempty" description:"What to look up, and to answer"`
}

const (
	entries = 2000
	keyLen  = 8
)

// table is what a call looks one entry up in.
var table = func() map[string]int {
	m := make(map[string]int, entries)
	for i := range entries {
		m[fmt.Sprintf("key-%04d", i)] = i
	}
	return m
}()

func init() {
	servlet.AddTool(servlet.Tool{Name: "work", Description: "Adds numbers", ReadOnly: true, ClosedWorld: true},
		func(_ context.Context, in input) (string, error) {
			switch in.Op {
			case "sum":
				return sum(in), nil
			case "dirty":
				dirty()
				return sum(in), nil
			case "report":
				servlet.Progress(1, 2, "half")
				return sum(in), nil
			}
			return endless(in.Op)
		})
}

func sum(in input) string {
	total := 0
	for _, n := range in.Nums {
		total += n
	}
	entry, ok := table[in.Text[:min(keyLen, len(in.Text))]]
	if !ok {
		entry = -1
	}
	return fmt.Sprintf("sum %d, entry %d: %s", total, entry, in.Text)
}

// scratch is memory that the captured image has as zeros.
var scratch [1 << 20]byte

// dirty writes to each page of a megabyte. That every page was zero shows that the instance is fresh.
func dirty() {
	for i := 0; i < len(scratch); i += 256 {
		if scratch[i] != 0 {
			panic("a page of another call")
		}
		scratch[i] = 1
	}
}

var sink []byte

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

// endless are the shapes of work that a deadline has to end.
func endless(op string) (string, error) {
	switch op {
	case "spin":
		for i := 0; ; i++ {
			scratch[i%len(scratch)]++
		}
	case "recurse":
		return fmt.Sprint(fib(80)), nil
	case "fill":
		sink = make([]byte, 16<<20)
		for {
			clear(sink)
		}
	case "alloc":
		for i := 0; ; i++ {
			sink = make([]byte, 1<<10+i%1024)
		}
	case "log":
		for {
			fmt.Println("still here")
		}
	case "sleep":
		time.Sleep(time.Hour)
	}
	return "", fmt.Errorf("no such op: %q", op)
}

func main() {}
