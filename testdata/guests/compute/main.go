//go:build wasip1

// Guest compute does work of several kinds, to measure what metering costs. Each export runs n rounds
// and returns a checksum.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func main() {}

//go:wasmexport sha256
func hash(n uint32) uint32 {
	block := make([]byte, 16<<10)
	for range n {
		sum := sha256.Sum256(block)
		copy(block, sum[:])
	}
	return binary.LittleEndian.Uint32(block)
}

type record struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Tags  []string          `json:"tags"`
	Extra map[string]string `json:"extra"`
	Ratio float64           `json:"ratio"`
}

//go:wasmexport json
func jsonRounds(n uint32) uint32 {
	total := 0
	for i := range n {
		r := record{ID: int(i), Name: "a record", Tags: []string{"one", "two", "three"}, Extra: map[string]string{"k": "v"}, Ratio: 0.25}
		text, err := json.Marshal([]record{r, r, r})
		if err != nil {
			panic(err)
		}
		var back []record
		if err := json.Unmarshal(text, &back); err != nil {
			panic(err)
		}
		total += len(text) + back[2].ID
	}
	return uint32(total)
}

var (
	pattern = regexp.MustCompile(`(\w+)@(\w+)\.(com|org|net)`)
	text    = strings.Repeat("write to someone@example.com or to nobody at all; ", 40)
)

//go:wasmexport regexp
func match(n uint32) uint32 {
	total := 0
	for range n {
		for _, m := range pattern.FindAllStringSubmatchIndex(text, -1) {
			total += m[0]
		}
	}
	return uint32(total)
}

//go:wasmexport sort
func sorted(n uint32) uint32 {
	words := make([]string, 2000)
	total := 0
	for range n {
		for i := range words {
			words[i] = fmt.Sprintf("%07d", i*7919%1_000_003)
		}
		slices.Sort(words)
		total += len(words[0]) + int(words[1999][6])
	}
	return uint32(total)
}

//go:wasmexport mandelbrot
func mandelbrot(n uint32) uint32 {
	total := 0
	for range n {
		for py := range 64 {
			for px := range 64 {
				cx, cy := float64(px)/32-1.5, float64(py)/32-1
				x, y, i := 0.0, 0.0, 0
				for ; i < 200 && x*x+y*y < 4; i++ {
					x, y = x*x-y*y+cx, 2*x*y+cy
				}
				total += i
			}
		}
	}
	return uint32(total)
}
