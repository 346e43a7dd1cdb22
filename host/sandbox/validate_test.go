package sandbox_test

import (
	"errors"
	"os"
	"path/filepath"
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
