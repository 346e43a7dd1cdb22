//go:build wasip1

// A plug-in with tools, as its author would write it for any host of Extism plug-ins with the Go PDK:
// nothing in it knows of Writ. It uses each service that the kit has.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/extism/go-pdk"
)

type request struct {
	Params struct {
		Name      string `json:"name"`
		Arguments struct {
			Text    string            `json:"text"`
			Key     string            `json:"key"`
			URL     string            `json:"url"`
			Method  string            `json:"method"`
			Headers map[string]string `json:"headers"`
			Count   int               `json:"count"`
		} `json:"arguments"`
	} `json:"params"`
}

type block struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type result struct {
	Content []block `json:"content"`
	IsError bool    `json:"isError,omitempty"`
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`
}

func texts(names ...string) json.RawMessage {
	var members []string
	for _, n := range names {
		members = append(members, fmt.Sprintf(`%q:{"type":"string","maxLength":100000}`, n))
	}
	return json.RawMessage(`{"type":"object","properties":{` + strings.Join(members, ",") + `}}`)
}

var tools = []tool{
	{"echo", "Says a text again.", texts("text")},
	{"setting", "Tells the value of a setting.", texts("key")},
	{"variables", "Keeps a text in a variable and reads it again.", texts("key", "text")},
	{"blocks", "Takes and frees blocks of the host's memory.", json.RawMessage(`{"type":"object","properties":{"count":{"type":"integer","minimum":0,"maximum":2000}}}`)},
	{"fetch", "Asks a server.", json.RawMessage(`{"type":"object","properties":{"url":{"type":"string"},"method":{"type":"string"},"text":{"type":"string"},"headers":{"type":"object","additionalProperties":{"type":"string"}}}}`)},
	{"chatter", "Writes to the log.", texts("text")},
	{"fail", "Fails with a reason.", texts("text")},
	{"crash", "Crashes.", texts()},
}

//go:wasmexport describe
func describe() int32 {
	if err := pdk.OutputJSON(map[string]any{"tools": tools}); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

// calls counts what this instance answered: in an instance that is not fresh it is more than one.
var calls int

//go:wasmexport call
func call() int32 {
	calls++
	var req request
	if err := pdk.InputJSON(&req); err != nil {
		pdk.SetError(err)
		return 1
	}
	text, err := answer(req)
	if err != nil {
		pdk.SetError(err)
		return 1
	}
	if err := pdk.OutputJSON(result{Content: []block{{"text", text}}}); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

func answer(req request) (string, error) {
	in := req.Params.Arguments
	switch req.Params.Name {
	case "echo":
		return in.Text, nil
	case "setting":
		value, ok := pdk.GetConfig(in.Key)
		return fmt.Sprintf("%q %v", value, ok), nil
	case "variables":
		return variables(in.Key, in.Text), nil
	case "blocks":
		return blocks(in.Count), nil
	case "fetch":
		return fetch(in.URL, in.Method, in.Headers, in.Text)
	case "chatter":
		for _, level := range []pdk.LogLevel{pdk.LogDebug, pdk.LogInfo, pdk.LogWarn, pdk.LogError} {
			pdk.Log(level, in.Text)
		}
		return "said", nil
	case "fail":
		return "", errors.New(in.Text)
	case "crash":
		panic("crashing as asked")
	}
	return "", fmt.Errorf("no tool %q", req.Params.Name)
}

// variables tells what was there before, between and after. What was there before is nothing in a fresh
// instance, and the last call's text in one that is used again.
func variables(key, text string) string {
	before := pdk.GetVar(key)
	pdk.SetVar(key, []byte(text))
	between := pdk.GetVar(key)
	pdk.SetVarInt("count", 41+calls)
	count := pdk.GetVarInt("count")
	pdk.RemoveVar(key)
	return fmt.Sprintf("before %q, between %q, after %q, count %d", before, between, pdk.GetVar(key), count)
}

func blocks(count int) string {
	sum := 0
	for i := range count {
		p := []byte(strings.Repeat("x", i%300))
		p = append(p, byte(i))
		m := pdk.AllocateBytes(p)
		found := pdk.FindMemory(m.Offset())
		for _, b := range found.ReadBytes() {
			sum += int(b)
		}
		m.Free()
		if i%3 == 0 {
			m.Free() // once too often
		}
	}
	return fmt.Sprint(sum)
}

func fetch(url, method string, headers map[string]string, body string) (string, error) {
	methods := map[string]pdk.HTTPMethod{"": pdk.MethodGet, "GET": pdk.MethodGet, "HEAD": pdk.MethodHead, "POST": pdk.MethodPost, "DELETE": pdk.MethodDelete}
	m, ok := methods[method]
	if !ok {
		return "", fmt.Errorf("no method %q", method)
	}
	req := pdk.NewHTTPRequest(m, url)
	for name, value := range headers {
		req.SetHeader(name, value)
	}
	if body != "" {
		req.SetBody([]byte(body))
	}
	resp := req.Send()
	var kept []string
	for name, value := range resp.Headers() {
		if name == "content-type" || name == "link" {
			kept = append(kept, name+"="+value)
		}
	}
	slices.Sort(kept)
	return fmt.Sprintf("%d %q %s", resp.Status(), resp.Body(), strings.Join(kept, " ")), nil
}

func main() {}
