//go:build wasip1

// Command mcp is a servlet in the shape of the protocol: each of its tools uses one capability, or
// misbehaves in one way.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/writ-run/writ/testdata/guests/abi"
)

func main() {}

type arguments struct {
	Path   string `json:"path"`
	Text   string `json:"text"`
	Method string `json:"method"`
	Raw    string `json:"raw"`
	Do     string `json:"do"`
}

//go:wasmexport servlet_call
func call() int32 {
	var req struct {
		Method string `json:"method"`
		Params struct {
			Name      string    `json:"name"`
			Arguments arguments `json:"arguments"`
		} `json:"params"`
	}
	if err := json.Unmarshal(abi.Input(), &req); err != nil || req.Method != "tools/call" {
		abi.Error("not a tool call")
		return 1
	}
	in := req.Params.Arguments
	switch req.Params.Name {
	case "read":
		text, err := os.ReadFile(in.Path)
		return answer(string(text), err)
	case "write":
		return answer("written", os.WriteFile(in.Path, []byte(in.Text), 0o600))
	case "units":
		value, code := abi.Config("UNITS")
		return answer(fmt.Sprint(value, " ", code), nil)
	case "fetch":
		return answer(fetch(in))
	case "say", "typed":
		abi.Output([]byte(in.Raw))
		return 0
	case "act":
		return act(in)
	}
	abi.Error("no such tool")
	return 1
}

func answer(text string, err error) int32 {
	if err != nil {
		text = err.Error()
	}
	out, _ := json.Marshal(map[string]any{
		"content": []any{map[string]string{"type": "text", "text": text}}, "isError": err != nil,
	})
	abi.Output(out)
	return 0
}

func fetch(in arguments) (string, error) {
	path, query, _ := strings.Cut(in.Path, "?")
	head, _ := json.Marshal(map[string]any{"capability": "api", "method": in.Method, "path": path, "query": query})
	op := abi.HTTPStart(string(head), []byte(in.Text))
	if op < 0 {
		return "", fmt.Errorf("start: code %d", op)
	}
	abi.Wait(-1, op)
	if code := abi.Status(op); code < 0 {
		text, _ := abi.Part(op, 2)
		return "", fmt.Errorf("code %d: %s", code, text)
	}
	body, _ := abi.Part(op, 1)
	return body, nil
}

func act(in arguments) int32 {
	switch in.Do {
	case "panic":
		panic(in.Text)
	case "exit":
		os.Exit(0)
	case "spin":
		for i := 0; ; i++ {
			_ = i
		}
	case "sleep":
		abi.Log(1, "sleeping")
		abi.Progress(1, 2, in.Text)
		time.Sleep(time.Hour)
	case "fail":
		abi.Error(in.Text)
		return 1
	case "flood":
		abi.Output([]byte(strings.Repeat("x", 2<<20)))
		return 0
	case "strange":
		return 7
	}
	return answer("done", nil)
}
