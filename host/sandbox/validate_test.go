package sandbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/sandbox"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// The validator is stopped before anything is compiled, and not before it is done: of the specification's
// own modules it refuses those that the whole runtime refuses, and no others.
func TestFullyValidate(t *testing.T) {
	root, err := w.SpecFolder()
	if err != nil {
		t.Skip(err)
	}
	scripts, err := w.SpecScripts(root)
	if err != nil {
		t.Fatal(err)
	}
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer r.Close(t.Context())
	valid, invalid := 0, 0
	for _, script := range scripts {
		commands, err := w.ReadSpec(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			if c.Filename == "" || c.Format == "text" {
				continue
			}
			module, err := os.ReadFile(filepath.Join(filepath.Dir(script), c.Filename))
			if errors.Is(err, os.ErrNotExist) {
				continue // a module in text
			}
			if err != nil {
				t.Fatal(err)
			}
			compiled, whole := r.CompileModule(t.Context(), module)
			if whole == nil {
				compiled.Close(t.Context())
				valid++
			} else {
				invalid++
			}
			if alone := sandbox.FullyValidate(module); (alone == nil) != (whole == nil) {
				t.Errorf("%s: the validator: %v; the runtime: %v", c.Filename, alone, whole)
			}
		}
	}
	if valid < 1_400 || invalid < 2_800 {
		t.Errorf("%d valid and %d invalid modules are too few to tell anything", valid, invalid)
	}
}

// Validation takes little more memory than the module: to compile it takes fifty bytes for each byte of
// instructions that weigh nothing to the gate.
func TestFullyValidateTakesLittle(t *testing.T) {
	m := &w.Module{}
	m.Memory(w.AtLeast(1))
	body := bytes.Repeat(w.Code(w.Get(0), w.Drop()), 340_000)
	for range 4 {
		m.Func("", "i", "", body)
	}
	module := m.Bytes()
	allocated := func() uint64 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.TotalAlloc
	}
	before := allocated()
	if err := sandbox.FullyValidate(module); err != nil {
		t.Fatal(err)
	}
	if took := allocated() - before; took > 4*uint64(len(module)) {
		t.Errorf("a module of %d bytes took %d bytes to validate", len(module), took)
	}
}
