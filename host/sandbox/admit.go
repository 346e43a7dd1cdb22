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
	gated   wasm.Gated
	abi     string
	dialect dialect
	kinds   []capabilities.Kind
}

// ABI is the guest interface that the module was admitted for.
func (a Admitted) ABI() string { return a.abi }

// Describes tells whether the module can say which tools it has.
func (a Admitted) Describes() bool { return a.dialect.describe != "" }

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
// for files, and for all of ABI extism1: every Go program links the file functions of WASI, which reach
// nothing without a directory, and kits for plug-ins link what they have, whether it is used or not. No
// guest code runs.
func Admit(module []byte, abi string, requested []capabilities.Kind) (Admitted, error) {
	rules, err := rulesOf(abi)
	if err != nil {
		return Admitted{}, err
	}
	gated, err := wasm.Gate(module, rules)
	if err != nil {
		return Admitted{}, err
	}
	a := Admitted{gated: gated, abi: abi, dialect: own}
	if abi == capabilities.ABIExtism {
		if a.dialect, err = dialectOf(gated.Info().Exports); err != nil {
			return Admitted{}, err
		}
	}
	kinds := map[[2]string][]capabilities.Kind{}
	for _, f := range interfaces()[abi] {
		kinds[[2]string{f.module, f.name}] = f.kinds
	}
	var unasked []string
	for _, im := range gated.Info().Imports {
		for _, kind := range kinds[[2]string{im.Module, im.Name}] {
			if kind != capabilities.KindFS && !a.dialect.foreign && !slices.Contains(requested, kind) {
				unasked = append(unasked, fmt.Sprintf("module imports %s.%s but servlet.toml requests no %s capability", im.Module, im.Name, kind))
			}
			a.kinds = append(a.kinds, kind)
		}
	}
	if len(unasked) > 0 {
		slices.Sort(unasked)
		return Admitted{}, errors.New(strings.Join(slices.Compact(unasked), "; "))
	}
	slices.Sort(a.kinds)
	a.kinds = slices.Compact(a.kinds)
	return a, nil
}
