// Package servlet is what a Writ servlet in Go is made of: a few tools, each a name, a sentence for the
// model, and a typed function. Writ builds it to one WebAssembly file, signs it, and runs every tool
// call in a fresh sandbox that has only what the person who installed it allowed.
//
//	package main
//
//	import (
//		"context"
//
//		servlet "github.com/writ-run/writ/sdk/go"
//	)
//
//	type greeting struct {
//		Name string `json:"name" description:"Whom to greet"`
//		Loud bool   `json:"loud,omitempty" description:"Shout"`
//	}
//
//	func init() {
//		servlet.AddTool(servlet.Tool{Name: "greet", Description: "Greets somebody", ReadOnly: true},
//			func(ctx context.Context, in greeting) (string, error) {
//				return "Hello, " + in.Name, nil
//			})
//	}
//
//	func main() {} // never runs: a servlet answers calls, it does not start
//
// # Arguments
//
// The input schema that the model sees is made from the function's argument, a struct:
//
//	json:"path"            the argument's name
//	json:"path,omitempty"  an optional one; so is omitzero, a pointer, and one with a default
//	description:"…"        for the model
//	enum:"a,b"             the allowed values
//	default:"x"            filled in before the function runs; JSON, or plain text for a string
//	min:"1" max:"9"        of a number, a text's length, or a list's
//	pattern:"^[a-z]+$"     of a text
//	format:"date"          of a text
//
// Writ has checked the arguments against that schema before the function runs.
//
// # Results
//
// A function returns a string, a [Result] for anything that MCP can say (pictures, several blocks), or a
// struct or map, which becomes structured content with an output schema. An error becomes an answer that
// the model can read and mend, so write it for the model: "no file notes.txt; use list_directory".
//
// # The world outside
//
// Directories are read and written with package os, at the guest paths of servlet.toml. [Config] reads a
// setting, [Fetch] speaks HTTP to a granted site, [FetchPage] gets any public page, [KV] keeps what the next
// call shall find. There are no
// environment variables, no arguments and no sockets; nothing that a call leaves in memory is there in
// the next one. What a servlet never calls is not linked, so a servlet without Fetch and FetchPage provably
// cannot reach a network, and one without KV remembers nothing.
//
// Package servlettest runs tools in an ordinary Go test.
package servlet

import (
	"context"
	"encoding/json"
	"reflect"
	"runtime"
	"sync"
)

// Tool is what the model is told about a function. The zero hints are the careful ones of MCP: a tool
// that says nothing counts as one that changes things, for good, in the open world. Writ checks hints
// against what servlet.toml lets the tool use.
type Tool struct {
	Name        string // 1 to 64 of a-z, 0-9 and "_", starting with a letter
	Title       string // for people; optional
	Description string // for the model: what it does, when to use it, what comes back

	ReadOnly    bool // changes nothing (readOnlyHint)
	Additive    bool // adds, but never changes or deletes what is there (destructiveHint false)
	Idempotent  bool // doing it twice is the same as once (idempotentHint)
	ClosedWorld bool // deals only with what the servlet was given, not with the world (openWorldHint false)

	InputSchema  json.RawMessage // in place of the schema made from the argument's type
	OutputSchema json.RawMessage // in place of the one made from the result's type
	Meta         map[string]any  // the tool's _meta
}

// AddTool registers a tool; call it from an init function, because main never runs. In is a struct, or
// anything that JSON decodes into when the tool brings its own InputSchema. Out is a string, a [Result],
// a struct or a map. Mistakes (a bad name, a type that no schema can describe) are reported with file
// and line when the servlet is built or tested.
func AddTool[In, Out any](tool Tool, handler func(ctx context.Context, in In) (Out, error)) {
	var at [1]uintptr
	runtime.Callers(2, at[:])
	registered = append(registered, &entry{
		tool:  tool,
		at:    at[0],
		start: []byte(beforeName + tool.Name + afterName),
		in:    reflect.TypeFor[In](),
		out:   reflect.TypeFor[Out](),
		call: func(ctx context.Context, decode func(any) error) (any, error) {
			var in In
			if err := decode(&in); err != nil {
				return nil, err
			}
			return handler(ctx, in)
		},
	})
}

// registered are the tools in the order of their registration. It is written by init functions only.
var registered []*entry

type entry struct {
	tool    Tool
	at      uintptr // program counter of the registration, for messages
	start   []byte  // of its requests, up to the arguments
	in, out reflect.Type
	call    func(ctx context.Context, decode func(any) error) (any, error)

	once     sync.Once // guards what is below, made at the first use
	defaults *defaults // of in
	mistake  error     // in the default tags of in
	decode   decoder   // of in; nil: encoding/json alone
}
