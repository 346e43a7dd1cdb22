package toolchain

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// bundleName is what the engine calls the script that it compiles (engine/entry.c).
const bundleName = "<bundle>"

// position finds a place at the end of a line of a stack: "at name (file:line:column)".
var position = regexp.MustCompile(`\(?([^()]+):(\d+):(\d+)\)?$`)

// frame is a place that a stack names.
type frame struct {
	file         string
	line, column int
}

func (f frame) String() string {
	return fmt.Sprintf("%s:%d:%d", capabilities.Printable(f.file, 200), f.line, f.column)
}

// own tells whether the author wrote what is there.
func (f frame) own() bool {
	return !strings.HasPrefix(f.file, sdkPrefix) && !strings.Contains(f.file, "node_modules/") && f.file != bundleName
}

// explain says in one line where in the author's source a script's exception came from.
func (b bundled) explain(err error) error {
	var script *scriptError
	if !errors.As(err, &script) {
		return err
	}
	message, stack, _ := strings.Cut(strings.TrimSpace(script.text), "\n    at ")
	if strings.HasPrefix(message, "InternalError: interrupted") {
		message = "the top level does too much: it runs once, while the servlet is built; do the work inside a tool"
	}
	message = strings.Join(strings.Fields(message), " ")
	var first *frame
	for line := range strings.Lines("    at " + stack) {
		f, ok := b.frame(strings.TrimSpace(line))
		if !ok || strings.HasPrefix(f.file, sdkPrefix) || f.file == bundleName {
			continue
		}
		if first == nil {
			first = &f
		}
		if !f.own() {
			continue
		}
		text := f.String() + ": " + capabilities.Printable(message, 400) + b.explainCycle(f.file, message)
		if *first != f {
			text += " (at " + first.String() + ")"
		}
		return &compilerError{text}
	}
	text := capabilities.Printable(message, 400)
	if first != nil {
		text = first.String() + ": " + text
	}
	return &compilerError{text}
}

// frame reads one line of a stack.
func (b bundled) frame(line string) (frame, bool) {
	found := position.FindStringSubmatch(line)
	if found == nil {
		return frame{}, false
	}
	f := frame{file: strings.TrimPrefix(found[1], "at ")}
	f.line, _ = strconv.Atoi(found[2])
	f.column, _ = strconv.Atoi(found[3])
	if f.file != bundleName {
		return f, true
	}
	p, ok := b.places.find(f.line, f.column)
	if !ok {
		return frame{}, false
	}
	return frame{b.places.files[p.file], p.sourceLine, p.sourceColumn}, true
}
