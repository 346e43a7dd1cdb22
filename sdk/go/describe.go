package servlet

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
)

// description is a tool as MCP lists it.
type description struct {
	Name         string          `json:"name"`
	Title        string          `json:"title,omitempty"`
	Description  string          `json:"description,omitempty"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
	Annotations  annotations     `json:"annotations"`
	Meta         map[string]any  `json:"_meta,omitempty"`
}

type annotations struct {
	ReadOnly    bool  `json:"readOnlyHint"`
	Destructive *bool `json:"destructiveHint,omitempty"`
	Idempotent  *bool `json:"idempotentHint,omitempty"`
	OpenWorld   bool  `json:"openWorldHint"`
}

// describe lists the tools in the order of their registration. It fails with every mistake that it
// finds, each on a line of its own with the place of the registration.
func describe() ([]byte, error) {
	if len(registered) == 0 {
		return nil, errors.New("the servlet has no tools: call servlet.AddTool in an init function")
	}
	list := struct {
		Tools []description `json:"tools"`
	}{}
	var mistakes []error
	seen := map[string]bool{}
	for _, e := range registered {
		one, err := e.describe()
		if err == nil && seen[one.Name] {
			err = errors.New("a tool of this name exists already")
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: tool %.80q: %w", e.place(), e.tool.Name, err))
			continue
		}
		seen[one.Name] = true
		list.Tools = append(list.Tools, one)
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return encode(list)
}

// place is the file and line of the registration.
func (e *entry) place() string {
	frame, _ := runtime.CallersFrames([]uintptr{e.at}).Next()
	if frame.File == "" {
		return "servlet"
	}
	return fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line)
}

func (e *entry) describe() (description, error) {
	t := e.tool
	if err := checkName(t.Name); err != nil {
		return description{}, err
	}
	if t.Description == "" {
		return description{}, errors.New("it has no Description; a model chooses tools by it")
	}
	d := description{Name: t.Name, Title: t.Title, Description: t.Description, Meta: t.Meta}
	d.Annotations = annotations{ReadOnly: t.ReadOnly, OpenWorld: !t.ClosedWorld}
	if !t.ReadOnly { // MCP gives both a meaning only then
		destructive, idempotent := !t.Additive, t.Idempotent
		d.Annotations.Destructive, d.Annotations.Idempotent = &destructive, &idempotent
	}
	var err error
	if d.InputSchema, err = e.inputSchema(); err != nil {
		return description{}, fmt.Errorf("argument: %w", err)
	}
	if _, err = e.plan(); err != nil {
		return description{}, fmt.Errorf("argument: %w", err)
	}
	if d.OutputSchema, err = e.outputSchema(); err != nil {
		return description{}, fmt.Errorf("result: %w", err)
	}
	return d, nil
}

// checkName allows what Writ allows: a name that no client has to change, and that reads one way only.
func checkName(name string) error {
	ok := name != "" && len(name) <= 64 && 'a' <= name[0] && name[0] <= 'z'
	for _, c := range []byte(name) {
		ok = ok && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_')
	}
	if !ok {
		return errors.New(`a name has 1 to 64 of a-z, 0-9 and "_", and starts with a letter`)
	}
	return nil
}

func (e *entry) inputSchema() (json.RawMessage, error) {
	if e.tool.InputSchema != nil {
		return object(e.tool.InputSchema)
	}
	if t := deref(e.in); t.Kind() != reflect.Struct || selfMade(t) {
		return nil, fmt.Errorf("%s is not a struct: use one, or give the tool an InputSchema", e.in)
	}
	return schemaOf(deref(e.in), input)
}

// outputSchema is nil for answers that are only for reading.
func (e *entry) outputSchema() (json.RawMessage, error) {
	t := deref(e.out)
	free := t == reflect.TypeFor[Result]() || t == reflect.TypeFor[string]() || t.Kind() == reflect.Interface || t == rawType
	switch {
	case e.tool.OutputSchema != nil:
		return object(e.tool.OutputSchema)
	case free:
		return nil, nil
	case t.Kind() != reflect.Struct && t.Kind() != reflect.Map || selfMade(t):
		return nil, fmt.Errorf("%s is no JSON object: return a string, a struct, a map or a servlet.Result", e.out)
	}
	return schemaOf(t, output)
}

// object checks that a schema which an author wrote by hand is a JSON object, and compacts it.
func object(raw json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("the schema is no JSON object: %w", err)
	}
	return raw, nil
}
