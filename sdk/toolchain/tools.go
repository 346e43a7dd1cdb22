package toolchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
)

// parseDescription reads what servlet_describe wrote.
func parseDescription(raw []byte) ([]json.RawMessage, error) {
	var list struct {
		Tools []json.RawMessage `json:"tools"`
	}
	if err := strictjson.Decode(raw, &list); err != nil {
		return nil, fmt.Errorf("%w: what the servlet says of its tools: %v", ErrDeclaration, err)
	}
	if len(list.Tools) == 0 {
		return nil, fmt.Errorf("%w: the servlet has no tools: register one", ErrDeclaration)
	}
	return list.Tools, nil
}

// checkTools reads every tool as an installer does, and compiles its schemas. It returns their names.
func checkTools(tools []json.RawMessage) ([]string, error) {
	var names []string
	var wrong []error
	for i, raw := range tools {
		tool, err := capabilities.ParseTool(raw)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				wrong = append(wrong, fmt.Errorf("%s: %s", toolAt(tools, i), strings.TrimPrefix(strings.TrimSpace(line), "tool.")))
			}
			continue
		}
		names = append(names, tool.Name)
		if err := schema.Accept(tool.InputSchema, tool.OutputSchema); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %v", toolAt(tools, i), err))
		}
	}
	if len(wrong) > 0 {
		return nil, declined(wrong)
	}
	return names, nil
}

// toolAt names the tool at index i for a message.
func toolAt(tools []json.RawMessage, i int) string {
	var named struct{ Name string }
	if i < 0 || i >= len(tools) || json.Unmarshal(tools[i], &named) != nil || named.Name == "" {
		return fmt.Sprintf("tool %d", i+1)
	}
	return "tool " + capabilities.Printable(named.Name, 64)
}

// declinedError is one or more complaints, a line each, about what the author declared.
type declinedError struct{ text string }

func (e *declinedError) Error() string { return e.text }
func (e *declinedError) Unwrap() error { return ErrDeclaration }

func declined(lines []error) error { return &declinedError{errors.Join(lines...).Error()} }

// explainFault words a describing run that failed. The guest's own text and log are the author's:
// they are escaped line by line, as they end up on a terminal.
func explainFault(o sandbox.Outcome) error {
	if o.Fault.Kind == sandbox.FaultTool {
		var lines []error
		for line := range strings.Lines(strings.TrimSpace(o.Fault.Text)) {
			lines = append(lines, errors.New(capabilities.Printable(strings.TrimRight(line, "\r\n"), 400)))
		}
		return declined(lines)
	}
	text := "describing tools: " + o.Fault.Text
	for _, line := range o.Logs {
		if strings.HasPrefix(line.Text, "panic: ") || strings.HasPrefix(line.Text, "fatal error: ") {
			text += ": the servlet wrote \"" + capabilities.Printable(line.Text, 200) + "\""
			break
		}
	}
	return errors.New(text)
}
