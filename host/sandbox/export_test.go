package sandbox

// Function describes one host function to the tests.
type Function struct {
	Module, Name, Params string
	Result               bool
}

// Functions are all host functions of the interface.
func Functions() []Function {
	var list []Function
	for _, f := range functions() {
		list = append(list, Function{f.module, f.name, f.params, f.result})
	}
	return list
}
