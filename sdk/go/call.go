package servlet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// request is the input of a call. Members that are not here are ignored, as the interface asks.
type request struct {
	Method string `json:"method"`
	Params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"params"`
}

// How Writ writes a request: what stands before and after the tool's name, and at the end.
const (
	beforeName = `{"method":"tools/call","params":{"name":"`
	afterName  = `","arguments":`
	atEnd      = `}}`
)

// ordinary finds the tool of a request that is written as Writ does, and the arguments, which are not
// looked at. Without a tool, it is written otherwise.
func ordinary(in []byte) (e *entry, arguments []byte) {
	if !bytes.HasSuffix(in, []byte(atEnd)) {
		return nil, nil
	}
	for _, e := range registered {
		if rest, ok := bytes.CutPrefix(in, e.start); ok {
			return e, rest[:max(len(rest)-len(atEnd), 0)]
		}
	}
	return nil, nil
}

func readRequest(in []byte) (r request, err error) {
	if err := json.Unmarshal(in, &r); err != nil {
		return r, fmt.Errorf("reading the request: %w", err)
	}
	return r, nil
}

// call answers one request with the JSON of an MCP result. Its error is the servlet's own failure; what
// the model can mend is a result.
func call(ctx context.Context, in []byte) ([]byte, error) {
	if e, arguments := ordinary(in); e != nil {
		return e.answer(ctx, func(v any) error {
			if e.decodeOrdinary(arguments, v) {
				return nil
			}
			r, err := readRequest(in)
			if err != nil {
				return err
			}
			return e.decodeArguments(r.Params.Arguments, v)
		})
	}
	r, err := readRequest(in)
	if err != nil {
		return nil, err
	}
	if r.Method != "tools/call" {
		return nil, fmt.Errorf("this servlet answers tools/call, not %.40q", r.Method)
	}
	for _, e := range registered {
		if e.tool.Name == r.Params.Name {
			return e.answer(ctx, func(v any) error { return e.decodeArguments(r.Params.Arguments, v) })
		}
	}
	return nil, fmt.Errorf("this servlet has no tool %.80q", r.Params.Name)
}

// answer runs the tool; decode reads its arguments.
func (e *entry) answer(ctx context.Context, decode func(v any) error) (out []byte, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			stack := make([]byte, 8<<10)
			stack = stack[:runtime.Stack(stack, false)]
			abi.Log(int32(Fault), fmt.Sprintf("tool %s panicked: %v\n%s", e.tool.Name, cause, stack))
			out, err = nil, fmt.Errorf("the tool %s has a bug and stopped: %v", e.tool.Name, cause)
		}
	}()
	value, err := e.call(ctx, decode)
	if errors.Is(err, ErrConflict) {
		return nil, err // not for the model: Writ runs the call again where it can
	}
	if err != nil {
		failed := Text(err.Error())
		failed.IsError = true
		return appendResult(nil, failed)
	}
	if text, ok := value.(string); ok {
		return appendText(nil, text), nil
	}
	result, err := e.result(value)
	if err != nil {
		return nil, err
	}
	out, err = appendResult(make([]byte, 0, 512), result)
	if err != nil {
		return nil, fmt.Errorf("writing the result of %s: %w", e.tool.Name, err)
	}
	return out, nil
}

var errNil = errors.New("it returned nil and no error")

// result makes a Result of what a function returned.
func (e *entry) result(value any) (Result, error) {
	switch v := value.(type) {
	case Result:
		return v, nil
	case *Result:
		if v != nil {
			return *v, nil
		}
	case string:
		return Text(v), nil
	case nil:
	default:
		raw, err := encode(v)
		if err != nil {
			return Result{}, fmt.Errorf("writing the result of %s: %w", e.tool.Name, err)
		}
		if string(raw) != "null" {
			return Structured(encoded(raw)), nil
		}
	}
	return Result{}, fmt.Errorf("the tool %s has a bug: %w", e.tool.Name, errNil)
}
