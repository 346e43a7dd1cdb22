//go:build wasip1

// The benchmarks' servlet as a plug-in for Extism, made with its own kit for Go: the same request, the
// same work and the same answer as in testdata/bench/go.
package main

import (
	"fmt"

	"github.com/extism/go-pdk"
)

type request struct {
	Params struct {
		Arguments struct {
			Op   string `json:"op"`
			Nums []int  `json:"nums"`
			Text string `json:"text"`
		} `json:"arguments"`
	} `json:"params"`
}

type block struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type result struct {
	Content []block `json:"content"`
}

// table is what a call looks one entry up in.
var table = func() map[string]int {
	m := make(map[string]int, 2000)
	for i := range 2000 {
		m[fmt.Sprintf("key-%04d", i)] = i
	}
	return m
}()

//go:wasmexport work
func work() int32 {
	var req request
	if err := pdk.InputJSON(&req); err != nil {
		pdk.SetError(err)
		return 1
	}
	in, total := req.Params.Arguments, 0
	for _, n := range in.Nums {
		total += n
	}
	entry, ok := table[in.Text[:min(8, len(in.Text))]]
	if !ok {
		entry = -1
	}
	text := fmt.Sprintf("sum %d, entry %d: %s", total, entry, in.Text)
	if err := pdk.OutputJSON(result{[]block{{"text", text}}}); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

func main() {}
