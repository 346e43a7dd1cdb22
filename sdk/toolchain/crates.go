package toolchain

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// crateSizes sums the code of a module by the crate that it was written in. names is the body of the
// module's name section, code that of its code section; imported functions come first in their numbering.
func crateSizes(names, code []byte, imported int) []Input {
	named := functionNames(names)
	if len(named) == 0 {
		return nil
	}
	sizes := map[string]int{}
	r := wasmReader{rest: code}
	for i, n := imported, r.number(); n > 0 && !r.bad; i, n = i+1, n-1 {
		size := r.number()
		r.take(size)
		sizes[crateOf(named[i])] += size
	}
	var list []Input
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		list = append(list, Input{name, sizes[name]})
	}
	slices.SortStableFunc(list, func(a, b Input) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// functionNames reads the names of functions from a name section.
func functionNames(body []byte) map[int]string {
	const functions = 1 // the subsection
	named := map[int]string{}
	r := wasmReader{rest: body}
	for len(r.rest) > 0 && !r.bad {
		id := r.byte()
		part := wasmReader{rest: r.take(r.number())}
		if id != functions {
			continue
		}
		for n := part.number(); n > 0 && !part.bad; n-- {
			i := part.number()
			named[i] = part.name()
		}
	}
	return named
}

// In both manglings of Rust a name is written with its length before it. In the current one a crate's name
// follows "C" and a hash.
var crateRoot = regexp.MustCompile(`^_R.*?C(?:s[0-9A-Za-z]*_)?(\d+)_?([A-Za-z_][0-9A-Za-z_]*)`)

// In the one before it a path starts with its crate, or with a type in words such as
// _$LT$$RF$mut$u20$serde_json..de..Deserializer and a trait after $as$.
var (
	plainPath = regexp.MustCompile(`^_ZN(\d+)([A-Za-z_][0-9A-Za-z_]*)`)
	typePath  = regexp.MustCompile(`^_ZN\d+.*?\$([A-Za-z_][0-9A-Za-z_]*)\.\.`)
)

// crateOf is the crate in a function's mangled name, or what C functions and those of the linker are called
// together.
func crateOf(name string) string {
	found := crateRoot.FindStringSubmatch(name)
	if found == nil {
		found = plainPath.FindStringSubmatch(name)
	}
	if found != nil {
		if n, err := strconv.Atoi(found[1]); err == nil && n > 0 && n <= len(found[2]) && found[2][:n] != "_" {
			return standard(found[2][:n])
		}
	}
	if found := typePath.FindStringSubmatch(name); found != nil {
		return standard(found[1])
	}
	return "the C library"
}

// standard joins the crates of Rust's standard library, which mean nothing to an author.
func standard(crate string) string {
	if slices.Contains([]string{"core", "alloc", "std", "compiler_builtins", "hashbrown"}, crate) {
		return "Rust's library"
	}
	return crate
}
