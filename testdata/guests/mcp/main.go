//go:build wasip1

// Command mcp is a servlet in the shape of the protocol: each of its tools uses one capability, or
// misbehaves in one way.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

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
	case "search":
		body, err := fetch(in)
		return answer(fmt.Sprint(search(in.Raw), " ", body), err)
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

// search looks through all of this guest's memory for texts, given in hex with every bit flipped so
// that the question is not its own answer, and tells which of them it found.
func search(flipped string) []int {
	var texts [][]byte
	starts := [256][]int{}
	for i, word := range strings.Fields(flipped) {
		text, _ := hex.DecodeString(word)
		texts = append(texts, text)
		starts[text[0]] = append(starts[text[0]], i)
	}
	// Memory is one piece from zero: below the end of a new, large allocation everything can be read.
	top := make([]byte, 1<<20)
	const first = 1 << 12
	end := uintptr(unsafe.Pointer(unsafe.SliceData(top))) + uintptr(len(top))
	memory := unsafe.Slice((*byte)(unsafe.Pointer(uintptr(first))), end-first)
	found := map[int]bool{}
	for at, b := range memory {
		for _, i := range starts[^b] {
			if n := len(texts[i]); at+n <= len(memory) && flippedEqual(memory[at:at+n], texts[i]) {
				found[i] = true
			}
		}
	}
	runtime.KeepAlive(top)
	return slices.Sorted(maps.Keys(found))
}

func flippedEqual(text, flipped []byte) bool {
	for i, b := range text {
		if ^b != flipped[i] {
			return false
		}
	}
	return true
}
