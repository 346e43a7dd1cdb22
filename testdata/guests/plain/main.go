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
	out, err := answer(abi.Input())
	if err != nil {
		abi.Error(err.Error())
		return 1
	}
	abi.Output(out)
	return 0
}

// warm builds what package json keeps for the types of a request and an answer.
//
//go:wasmexport servlet_warm
func warm() int32 {
	if _, err := answer([]byte(`{"nums":[1,2.5],"text":"x"}`)); err != nil {
		abi.Error(err.Error())
		return 1
	}
	return 0
}

func answer(input []byte) ([]byte, error) {
	var req struct {
		Nums []float64 `json:"nums"`
		Text string    `json:"text"`
	}
	if err := json.Unmarshal(input, &req); err != nil {
		return nil, err
	}
	sum := 0.0
	for _, n := range req.Nums {
		sum += n
	}
	return json.Marshal(map[string]any{"sum": sum, "text": req.Text})
}

//go:wasmexport servlet_describe
func describe() int32 {
	abi.Output([]byte(`{"tools":[{"name":"sum","inputSchema":{"type":"object"}}]}`))
	return 0
}
