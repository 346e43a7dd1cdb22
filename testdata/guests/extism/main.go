//go:build wasip1

// A plug-in that talks to its host as Extism's kits do, without one of them: the functions are imported
// here. Its input is a verb and arguments with a zero byte between them, its output plain bytes.
// transcript.json has what Extism's own host for Go answers (testdata/peers/conformance).
package main

import "strings"

//go:wasmimport extism:host/env alloc
func alloc(n uint64) uint64

//go:wasmimport extism:host/env free
func free(at uint64)

//go:wasmimport extism:host/env length
func length(at uint64) uint64

//go:wasmimport extism:host/env length_unsafe
func lengthUnsafe(at uint64) uint64

//go:wasmimport extism:host/env load_u8
func load8(at uint64) uint32

//go:wasmimport extism:host/env load_u64
func load64(at uint64) uint64

//go:wasmimport extism:host/env store_u8
func store8(at uint64, v uint32)

//go:wasmimport extism:host/env store_u64
func store64(at uint64, v uint64)

//go:wasmimport extism:host/env input_length
func inputLength() uint64

//go:wasmimport extism:host/env input_load_u8
func input8(i uint64) uint32

//go:wasmimport extism:host/env input_load_u64
func input64(i uint64) uint64

//go:wasmimport extism:host/env output_set
func outputSet(at, n uint64)

//go:wasmimport extism:host/env error_set
func errorSet(at uint64)

//go:wasmimport extism:host/env config_get
func configGet(key uint64) uint64

//go:wasmimport extism:host/env var_get
func varGet(name uint64) uint64

//go:wasmimport extism:host/env var_set
func varSet(name, value uint64)

//go:wasmimport extism:host/env http_request
func httpRequest(head, body uint64) uint64

//go:wasmimport extism:host/env http_status_code
func httpStatus() int32

//go:wasmimport extism:host/env log_info
func logInfo(at uint64)

//go:wasmimport extism:host/env get_log_level
func logLevel() int32

// give makes a block of a text, eight bytes at a time and then one.
func give(s string) uint64 {
	at := alloc(uint64(len(s)))
	i := 0
	for ; i+8 <= len(s); i += 8 {
		var v uint64
		for j := range 8 {
			v |= uint64(s[i+j]) << (8 * j)
		}
		store64(at+uint64(i), v)
	}
	for ; i < len(s); i++ {
		store8(at+uint64(i), uint32(s[i]))
	}
	return at
}

// take reads a block as give writes it.
func take(at uint64) string {
	n := length(at)
	if n != lengthUnsafe(at) {
		panic("two lengths")
	}
	p := make([]byte, 0, n)
	i := uint64(0)
	for ; i+8 <= n; i += 8 {
		v := load64(at + i)
		for j := range 8 {
			p = append(p, byte(v>>(8*j)))
		}
	}
	for ; i < n; i++ {
		p = append(p, byte(load8(at+i)))
	}
	return string(p)
}

func input() string {
	n := inputLength()
	p := make([]byte, 0, n)
	i := uint64(0)
	for ; i+8 <= n; i += 8 {
		v := input64(i)
		for j := range 8 {
			p = append(p, byte(v>>(8*j)))
		}
	}
	for ; i < n; i++ {
		p = append(p, byte(input8(i)))
	}
	return string(p)
}

func answer(s string) {
	at := give(s)
	outputSet(at, uint64(len(s)))
}

//go:wasmexport describe
func describe() int32 {
	answer(`{"tools":[{"name":"x","description":null,"inputSchema":{"type":"object"}}]}`)
	return 0
}

// kept is what an instance that is used again would still have.
var kept string

//go:wasmexport call
func call() int32 {
	verb, rest, _ := strings.Cut(input(), "\x00")
	first, second, _ := strings.Cut(rest, "\x00")
	switch verb {
	case "echo":
		answer(rest)
	case "part": // the output is a part of a block, and freed before it is read
		at := give(rest)
		outputSet(at+1, uint64(len(rest))-2)
		free(at)
	case "setting":
		answer(take(configGet(give(first))))
	case "variable":
		before := take(varGet(give(first)))
		varSet(give(first), give(second))
		between := take(varGet(give(first)))
		varSet(give(first), 0)
		answer(before + "|" + between + "|" + take(varGet(give(first))) + "|" + kept)
		kept = second
	case "blocks":
		sum := uint64(0)
		for i := range 500 {
			at := give(rest[:i%len(rest)+1])
			for _, b := range []byte(take(at)) {
				sum += uint64(b)
			}
			free(at)
		}
		answer(strings.Repeat("x", int(sum%1000)))
	case "log":
		logInfo(give(first))
		if logLevel() < 0 {
			panic("level")
		}
		answer("logged")
	case "fail":
		errorSet(give(first))
		return 3
	case "fail beside":
		answer("an answer")
		errorSet(give(first))
	case "fail taken back":
		errorSet(give(first))
		errorSet(0)
		answer("an answer")
	case "fail silently":
		return 3
	case "request":
		page := take(httpRequest(give(first), 0))
		if httpStatus() != 200 {
			panic("status")
		}
		answer(page)
	case "crash":
		panic("crashing as asked")
	case "nothing":
	}
	return 0
}

func main() {}
