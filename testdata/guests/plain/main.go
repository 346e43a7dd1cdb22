//go:build wasip1

// Command plain is the least servlet: JSON in, JSON out, no capability.
package main

import (
	"encoding/json"

	"github.com/writ-run/writ/testdata/guests/abi"
)

func main() {}

//go:wasmexport servlet_call
func call() int32 {
	var req struct {
		Nums []float64 `json:"nums"`
		Text string    `json:"text"`
	}
	if err := json.Unmarshal(abi.Input(), &req); err != nil {
		abi.Error(err.Error())
		return 1
	}
	sum := 0.0
	for _, n := range req.Nums {
		sum += n
	}
	out, err := json.Marshal(map[string]any{"sum": sum, "text": req.Text})
	if err != nil {
		abi.Error(err.Error())
		return 1
	}
	abi.Output(out)
	return 0
}

//go:wasmexport servlet_describe
func describe() int32 {
	abi.Output([]byte(`{"tools":[{"name":"sum","inputSchema":{"type":"object"}}]}`))
	return 0
}
