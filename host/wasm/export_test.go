package wasm

// Imports reads a module's imports, allowed or not.
func Imports(bin []byte) []Import {
	m, _ := read(bin, classes[ClassServlet])
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
