package wasm

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxListed bounds how many bad imports one error names.
const maxListed = 64

// Gate admits or refuses a module. An error names the rule, the limit and what was found.
func Gate(bin []byte, rules Rules) (Gated, error) {
	limits, ok := classes[rules.Class]
	if !ok {
		return Gated{}, fmt.Errorf("gating module: class %d is unknown", rules.Class)
	}
	m, err := read(bin, limits)
	// Bad imports come first, even of a module that has other faults: they say what it is for.
	if m != nil {
		if bad := badImports(m.imports, rules.Imports); bad != nil {
			return Gated{}, fmt.Errorf("gating module: %w", bad)
		}
	}
	if err == nil {
		err = rules.check(m)
	}
	if err != nil {
		return Gated{}, fmt.Errorf("gating module: %w", err)
	}
	return Gated{code: m.out, frames: m.frames, info: Info{
		Imports: m.imports, Exports: m.exports, MemoryMin: m.memoryMin, MemoryMax: m.memoryMax,
	}}, nil
}

// check applies the rules about exports and memory.
func (rules Rules) check(m *module) error {
	if m.memoryMin > rules.MaxMemoryPages {
		return fmt.Errorf("memory: found a minimum of %d pages of 64 KiB, limit %d", m.memoryMin, rules.MaxMemoryPages)
	}
	if rules.Memory != "" {
		if ex, ok := m.exports[rules.Memory]; !ok || ex.Kind != KindMemory {
			return fmt.Errorf("export %s is missing: the module has to export its memory under this name", quote(rules.Memory))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.exports)) {
		if strings.HasPrefix(name, reservedPrefix) {
			return fmt.Errorf("export %s: names that start with %q are reserved", quote(name), reservedPrefix)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules.Exports)) {
		if _, ok := m.exports[name]; !ok {
			return fmt.Errorf("export %s %v is missing", quote(name), rules.Exports[name])
		}
	}
	for _, set := range []map[string]FuncType{rules.Exports, rules.Optional} {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			ex, ok := m.exports[name]
			switch {
			case ok && ex.Kind != KindFunc:
				return fmt.Errorf("export %s is not a function", quote(name))
			case ok && !ex.Type.Equal(set[name]):
				return fmt.Errorf("export %s has the signature %v, want %v", quote(name), ex.Type, set[name])
			}
		}
	}
	return nil
}

// badImports returns nil or one error that names every import that is not allowed, once and sorted.
func badImports(imports []Import, allowed map[[2]string]FuncType) error {
	var bad []string
	for _, im := range imports {
		want, known := allowed[[2]string{im.Module, im.Name}]
		name := quoteBare(im.Module) + "." + quoteBare(im.Name)
		switch {
		case im.Kind != KindFunc:
			bad = append(bad, fmt.Sprintf("%s (a %s; only functions may be imported)", name, kindName(im.Kind)))
		case !known:
			bad = append(bad, name+" (unknown)")
		case !im.Type.Equal(want):
			bad = append(bad, fmt.Sprintf("%s (has the signature %v, want %v)", name, im.Type, want))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	slices.SortFunc(bad, cmp.Compare)
	bad = slices.Compact(bad)
	if more := len(bad) - maxListed; more > 0 {
		bad = append(bad[:maxListed], fmt.Sprintf("and %d more", more))
	}
	return errors.New("imports that are not allowed: " + strings.Join(bad, ", "))
}

func kindName(kind byte) string {
	return [...]string{"function", "table", "memory", "global"}[kind&3]
}

// quote makes a guest's name safe to print: escaped, in quotes, and cut.
func quote(name string) string {
	const most = 80
	if len(name) > most {
		return strconv.QuoteToASCII(name[:most]) + "..."
	}
	return strconv.QuoteToASCII(name)
}

// quoteBare leaves plain identifiers without quotes.
func quoteBare(name string) string {
	plain := func(c rune) bool {
		return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	if name != "" && len(name) <= 80 && strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) < 0 {
		return name
	}
	return quote(name)
}
