package sandbox_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
)

// static are types of the runtime that instances share and no call changes: what was compiled, and the
// store that lists the instances.
var static = []string{
	"wasm.Module", "wasm.Store", "wasm.FunctionType", "wasm.Export", "wasm.Import", "wasm.Memory", "wasm.Table", "wasm.GlobalType",
	"wasm.ConstantExpression", "wasm.FunctionDefinition", "wasm.MemoryDefinition", "wazevo.compiledModule", "wazevo.engine",
	"sys.Context", "sync.", "atomic.",
}

// walk lists the fields of every type of the runtime that a value reaches.
func walk(v reflect.Value, fields map[string]bool, seen map[reflect.Type]bool) {
	t := v.Type()
	switch t.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), fields, seen)
		} else {
			walk(reflect.Zero(t.Elem()), fields, seen)
		}
	case reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem(), fields, seen)
		}
	case reflect.Slice, reflect.Array:
		switch {
		case v.Len() > 0:
			walk(v.Index(0), fields, seen)
		case t.Elem().Kind() != reflect.Interface:
			walk(reflect.Zero(t.Elem()), fields, seen)
		}
	case reflect.Struct:
		name := t.String()
		for _, s := range static {
			if strings.HasPrefix(name, s) && (strings.HasSuffix(s, ".") || name == s) {
				return
			}
		}
		if seen[t] || !strings.Contains(t.PkgPath(), "wazero") {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			fields[name+"."+t.Field(i).Name+" "+t.Field(i).Type.String()] = true
			walk(v.Field(i), fields, seen)
		}
	}
}

// A reset is complete only as long as we know every place where the runtime keeps state of an instance.
// testdata/inventory.txt lists them, each with what makes it fresh; a runtime with a field that is not
// there fails this test, and its new field has to be understood before the runtime is used.
func TestInventoryOfTheRuntime(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), thief(true))
	parts, end := code.Parts(t.Context())
	defer end()
	found, seen := map[string]bool{}, map[reflect.Type]bool{}
	for _, p := range parts {
		walk(reflect.ValueOf(p), found, seen)
	}
	known := map[string]string{}
	list, err := os.ReadFile("testdata/inventory.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if field, why, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && !strings.HasPrefix(line, "#") {
			known[field] = strings.TrimSpace(why)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(found)) {
		if known[field] == "" {
			t.Errorf("the runtime keeps state that is not in the inventory: %s", field)
		}
		delete(known, field)
	}
	for _, field := range slices.Sorted(maps.Keys(known)) {
		t.Errorf("the inventory lists what the runtime no longer has: %s", field)
	}
}

// The control: a type with a field that nobody listed is found.
func TestInventoryFindsNewFields(t *testing.T) {
	found := map[string]bool{}
	walk(reflect.ValueOf(&sandbox.Call{}), found, map[reflect.Type]bool{})
	if len(found) > 0 {
		t.Error("fields of other packages are listed")
	}
	code := compileWith(t, newEngine(t, sandbox.Config{}), thief(true))
	parts, end := code.Parts(t.Context())
	defer end()
	walk(reflect.ValueOf(parts[0]), found, map[reflect.Type]bool{})
	for _, field := range []string{"wasm.ModuleInstance.MemoryInstance *wasm.MemoryInstance", "wasm.MemoryInstance.Buffer []uint8", "wasm.TableInstance.References []uintptr", "wazevo.moduleEngine.opaque wazevo.moduleContextOpaque"} {
		if !found[field] {
			t.Errorf("%s is not found among %s", field, fmt.Sprint(slices.Sorted(maps.Keys(found))))
		}
	}
}

// The marks of valid modules name the runtime that found them valid; another version looks again.
func TestValidatorNamesTheRuntime(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`github.com/tetratelabs/wazero (v\S+)`).FindSubmatch(mod)
	if version == nil || !strings.Contains(sandbox.Validator, "wazero "+string(version[1])+",") {
		t.Errorf("%q does not name %q", sandbox.Validator, version)
	}
}
