package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/wasm"
)

// maxMemoryPages bounds the memory that a module may want before it runs: 1 GiB. What a call gets is
// Limits.Memory.
const maxMemoryPages = 1 << 30 / wasm.PageSize

// Admitted is a module that the ABI's gate let pass. The zero Admitted does not compile.
type Admitted struct {
	gated wasm.Gated
	kinds []capabilities.Kind
}

// Kinds are the capability kinds of which the module has an import, sorted.
func (a Admitted) Kinds() []capabilities.Kind { return slices.Clone(a.kinds) }

// Imports are the module's imports as "module.name", sorted and each once.
func (a Admitted) Imports() []string {
	var names []string
	for _, im := range a.gated.Info().Imports {
		names = append(names, im.Module+"."+im.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Admit gates a module for an ABI. An import of a kind that requested does not have is refused, but
// for files: every Go program links the file functions of WASI, which reach nothing without a
// directory. No guest code runs.
func Admit(module []byte, abi string, requested []capabilities.Kind) (Admitted, error) {
	if abi != capabilities.ABI {
		return Admitted{}, fmt.Errorf("admitting module: its guest interface %q is not known; this Writ runs %q", capabilities.Printable(abi, 40), capabilities.ABI)
	}
	entry := wasm.FuncType{Results: []byte{wasm.I32}}
	rules := wasm.Rules{
		Imports: map[[2]string]wasm.FuncType{},
		Exports: map[string]wasm.FuncType{string(EntryCall): entry},
		Optional: map[string]wasm.FuncType{
			string(EntryDescribe): entry,
			string(EntryWarm):     entry,
			reseedExport:          {Params: []byte{wasm.I64, wasm.I64}},
			initExport:            {},
		},
		Memory:         "memory",
		MaxMemoryPages: maxMemoryPages,
	}
	kinds := map[[2]string]capabilities.Kind{}
	for _, f := range functions() {
		key := [2]string{f.module, f.name}
		rules.Imports[key] = f.signature()
		kinds[key] = f.kind
	}
	gated, err := wasm.Gate(module, rules)
	if err != nil {
		return Admitted{}, err
	}
	a := Admitted{gated: gated}
	var unasked []string
	for _, im := range gated.Info().Imports {
		kind := kinds[[2]string{im.Module, im.Name}]
		if kind == "" {
			continue
		}
		if kind != capabilities.KindFS && !slices.Contains(requested, kind) {
			unasked = append(unasked, fmt.Sprintf("module imports %s.%s but servlet.toml requests no %s capability", im.Module, im.Name, kind))
		}
		a.kinds = append(a.kinds, kind)
	}
	if len(unasked) > 0 {
		slices.Sort(unasked)
		return Admitted{}, errors.New(strings.Join(slices.Compact(unasked), "; "))
	}
	slices.Sort(a.kinds)
	a.kinds = slices.Compact(a.kinds)
	return a, nil
}
