package toolchain

import (
	"errors"
	"slices"
)

// errModule is what the linker made and nothing can read.
var errModule = errors.New("the compiler made no module that can be read")

// withoutNames takes the name section off a module: what functions are called is for its author. Everything
// else keeps its bytes, those of the sections' lengths too.
// Source: WebAssembly core specification, appendix "Name Section".
func withoutNames(module []byte) (code, names []byte, err error) {
	if len(module) < 8 {
		return nil, nil, errModule
	}
	code = slices.Clone(module[:8])
	for r := (wasmReader{rest: module[8:]}); len(r.rest) > 0; {
		whole := r.rest
		id := r.byte()
		body := r.take(r.number())
		if r.bad {
			return nil, nil, errModule
		}
		if inner := (wasmReader{rest: body}); id == sectionCustom && inner.name() == "name" {
			names = inner.rest
			continue
		}
		code = append(code, whole[:len(whole)-len(r.rest)]...)
	}
	return code, names, nil
}
