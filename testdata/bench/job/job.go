// Package job is the work that the benchmarks' servlets do, in whatever language and runtime: what call
// number i is asked, and what it has to answer. No two calls are asked the same.
package job

import (
	"bytes"
	"fmt"
)

// Operations of the servlets. All but Sum are in the servlet of one language only.
const (
	Sum   = "sum"   // adds numbers
	Dirty = "dirty" // Sum, after it wrote to each page of a megabyte (Go)
	Alloc = "alloc" // Sum, after it made 2,000 objects (JavaScript)
)

// entries is how long the table is that a servlet looks one entry up in.
const entries = 2000

// Arguments are those of call i: 100 bytes of JSON for Sum.
func Arguments(op string, i int) []byte {
	b := fmt.Appendf(nil, `{"op":%q,"nums":[`, op)
	for k, n := range numbers(i) {
		if k > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%d", n)
	}
	return fmt.Appendf(b, `],"text":%q}`, text(i))
}

// Request is call i as a guest reads it (sdk/ABI.md, "The request").
func Request(op string, i int) []byte {
	return fmt.Appendf(nil, `{"method":"tools/call","params":{"name":"work","arguments":%s}}`, Arguments(op, i))
}

// Answer is the text that call i has to be answered with.
func Answer(i int) string {
	sum := 0
	for _, n := range numbers(i) {
		sum += n
	}
	return fmt.Sprintf("sum %d, entry %d: %s", sum, i%entries, text(i))
}

// Check tells whether a result, JSON or not, is that of call i.
func Check(result []byte, i int) error {
	if !bytes.Contains(result, []byte(`"`+Answer(i)+`"`)) {
		return fmt.Errorf("wrong answer to call %d: %.120q, want %q", i, result, Answer(i))
	}
	return nil
}

// numbers have three digits each.
func numbers(i int) (n [8]int) {
	for k := range n {
		n[k] = 100 + (i*7919+k*104_729)%900
	}
	return n
}

func text(i int) string {
	return fmt.Sprintf("key-%04d of call %08d, padded out", i%entries, i%100_000_000)
}
