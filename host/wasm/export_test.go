package wasm

// Imports reads a module's imports, allowed or not.
func Imports(bin []byte) []Import {
	m, _ := read(bin, classes[ClassRuntime])
	if m == nil {
		return nil
	}
	return m.imports
}

// Effort tells what the gate finds that compiling a module takes.
func Effort(bin []byte) int {
	m, _ := read(bin, classes[ClassServlet])
	if m == nil {
		return 0
	}
	return m.effort
}

// Frames tells what a call of each own function is charged of the stack, bytes.
func Frames(bin []byte) []int32 {
	m, _ := read(bin, classes[ClassServlet])
	if m == nil {
		return nil
	}
	return m.frames
}

// Step is an instruction at which the cursor stopped, and how many it passed over before.
type Step struct {
	Op            uint32
	From, Skipped int
}

// Steps lists where the cursor stops in the instructions of a function; false: it refuses them.
func Steps(code []byte) (list []Step, ok bool) {
	c := &cursor{reader: reader{b: code}}
	for c.left() > 0 && c.next() {
		list = append(list, Step{c.op, c.from, c.skipped})
	}
	return list, c.err == nil
}
