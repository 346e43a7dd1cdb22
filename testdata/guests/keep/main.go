//go:build wasip1

// Command keep is a servlet that does with kv what it is told to, step by step, and then ends as it is told to.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/writ-run/writ/testdata/guests/abi"
)

func main() {}

// step is one thing to do.
type step struct {
	Do     string `json:"do"` // get, set, delete, list; count: add one to a number; await: wait for a file
	Key    string `json:"key"`
	Value  string `json:"value"`
	Prefix string `json:"prefix"`
}

//go:wasmexport servlet_call
func call() int32 {
	var req struct {
		Params struct {
			Arguments struct {
				Steps []step `json:"steps"`
				End   string `json:"end"`
			} `json:"arguments"`
		} `json:"params"`
	}
	if err := json.Unmarshal(abi.Input(), &req); err != nil {
		abi.Error("not a tool call")
		return 1
	}
	var said []string
	for _, s := range req.Params.Arguments.Steps {
		said = append(said, take(s))
	}
	end := req.Params.Arguments.End
	switch end {
	case "fail":
		abi.Error("told to")
		return 1
	case "panic":
		panic("told to")
	case "exit":
		os.Exit(0)
	case "spin":
		for {
			runtime.Gosched()
		}
	}
	out, _ := json.Marshal(map[string]any{
		"content": []any{map[string]string{"type": "text", "text": strings.Join(said, " ")}}, "isError": end == "error",
	})
	if end == "broken" {
		out = out[1:]
	}
	abi.Output(out)
	return 0
}

// take takes one step and says what came of it.
func take(s step) string {
	switch s.Do {
	case "count":
		n, _ := strconv.Atoi(do(step{Do: "get", Key: s.Key}))
		return do(step{Do: "set", Key: s.Key, Value: strconv.Itoa(n + 1)})
	case "await":
		for {
			if _, err := os.Stat(s.Value); err == nil {
				return "there"
			}
			abi.Wait(1)
		}
	}
	return do(s)
}

func do(s step) string {
	head := map[string]string{"op": s.Do}
	if s.Do == "list" {
		head["prefix"] = s.Prefix
	} else {
		head["key"] = s.Key
	}
	raw, _ := json.Marshal(head)
	op := abi.KVStart(string(raw), []byte(s.Value))
	if op < 0 {
		return fmt.Sprint("code ", op)
	}
	defer abi.Close(op)
	if code := abi.Status(op); code < 0 {
		return fmt.Sprint("code ", code)
	}
	if s.Do == "list" {
		keys, _ := abi.Part(op, 0)
		return keys
	}
	value, _ := abi.Part(op, 1)
	return value
}
