package toolchain

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/writ-run/writ/capabilities"
)

// The ids of the Wasm sections that a build looks into.
const (
	sectionCustom    = 0
	sectionImport    = 2
	sectionMemory    = 5
	sectionExport    = 7
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
)

const wasmPage = 64 << 10

// standIn is the import that takes the place of one that a servlet does not request. It is of no kind
// and has no arguments; the engine never calls what its script may not use.
var standIn = [2]string{"writ1", "input_len"}

// errEngine is an engine that is not the one this code was written for.
var errEngine = errors.New("the script engine is malformed")

// sealImage makes a servlet's module of the engine and the memory that it is to start with. What runs
// is the engine's code, byte for byte: hosts compile it once for all servlets that ask for the same
// kinds of capability.
func sealImage(engine []byte, l loaded, unasked map[[2]string]bool) ([]byte, error) {
	sections, err := splitSections(engine)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(engine[:8])
	for _, s := range sections {
		body := s.body
		switch s.id {
		case sectionCustom, sectionDataCount:
			continue // nothing refers to segments by number
		case sectionImport:
			body, err = replaceImports(body, unasked)
		case sectionMemory:
			body, err = growMemory(body, (int(l.base)+len(l.memory))/wasmPage)
		case sectionExport:
			body, err = dropExport(body, "_initialize") // it has run
		case sectionData:
			body = imageData(l)
		}
		if err != nil {
			return nil, err
		}
		out = binary.AppendUvarint(append(out, s.id), uint64(len(body)))
		out = append(out, body...)
	}
	return out, nil
}

type wasmSection struct {
	id   byte
	body []byte
}

func splitSections(module []byte) (sections []wasmSection, err error) {
	if len(module) < 8 {
		return nil, errEngine
	}
	r := wasmReader{rest: module[8:]}
	for len(r.rest) > 0 && !r.bad {
		id := r.byte()
		sections = append(sections, wasmSection{id, r.take(r.number())})
	}
	if r.bad {
		return nil, errEngine
	}
	return sections, nil
}

// wasmReader walks over a section. It is bad for good after the first fault.
type wasmReader struct {
	rest []byte
	bad  bool
}

func (r *wasmReader) number() int {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > 1<<31 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *wasmReader) take(n int) []byte {
	if n > len(r.rest) {
		r.bad = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *wasmReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *wasmReader) name() string { return string(r.take(r.number())) }

func appendName(to []byte, name string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(name))), name...)
}

// engineImport is one imported function.
type engineImport struct {
	name     [2]string
	funcType int
}

func readImports(body []byte) ([]engineImport, error) {
	r := wasmReader{rest: body}
	var list []engineImport
	for n := r.number(); n > 0 && !r.bad; n-- {
		im := engineImport{name: [2]string{r.name(), r.name()}}
		if r.byte() != 0 { // a function
			return nil, errEngine
		}
		im.funcType = r.number()
		list = append(list, im)
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errEngine
	}
	return list, nil
}

// replaceImports puts the stand-in where an unasked import was, so that the numbers of all functions,
// and with them the code, stay as they are.
func replaceImports(body []byte, unasked map[[2]string]bool) ([]byte, error) {
	list, err := readImports(body)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(im engineImport) bool { return im.name == standIn })
	if at < 0 {
		return nil, errEngine
	}
	out := binary.AppendUvarint(nil, uint64(len(list)))
	for _, im := range list {
		if unasked[im.name] {
			im = list[at]
		}
		out = append(appendName(appendName(out, im.name[0]), im.name[1]), 0)
		out = binary.AppendUvarint(out, uint64(im.funcType))
	}
	return out, nil
}

// growMemory sets the minimum of the one memory.
func growMemory(body []byte, pages int) ([]byte, error) {
	r := wasmReader{rest: body}
	count, flags := r.number(), r.byte()
	r.number()
	if r.bad || count != 1 {
		return nil, errEngine
	}
	out := binary.AppendUvarint([]byte{1, flags}, uint64(pages))
	return append(out, r.rest...), nil
}

func dropExport(body []byte, name string) ([]byte, error) {
	r := wasmReader{rest: body}
	kept, n := []byte(nil), 0
	for count := r.number(); count > 0 && !r.bad; count-- {
		from := r.rest
		export := r.name()
		r.byte()
		r.number()
		if export != name {
			kept = append(kept, from[:len(from)-len(r.rest)]...)
			n++
		}
	}
	if r.bad {
		return nil, errEngine
	}
	return append(binary.AppendUvarint(nil, uint64(n)), kept...), nil
}

// imageData is a data section that makes the memory: its runs of bytes that are not zero.
func imageData(l loaded) []byte {
	runs := nonZeroRuns(l.memory)
	out := binary.AppendUvarint(nil, uint64(len(runs)))
	for _, run := range runs {
		out = append(out, 0, 0x41) // active, in memory 0, at i32.const
		out = append(appendSigned(out, int64(int32(l.base+uint32(run[0])))), 0x0b)
		out = binary.AppendUvarint(out, uint64(run[1]-run[0]))
		out = append(out, l.memory[run[0]:run[1]]...)
	}
	return out
}

// gap is how many zero bytes cost about as much as a segment of their own.
const gap = 12

// nonZeroRuns finds the ranges of memory that are not zero, joined over short gaps.
func nonZeroRuns(memory []byte) (runs [][2]int) {
	for i := 0; i < len(memory); i++ {
		if memory[i] == 0 {
			continue
		}
		end := i + 1
		for zeros := 0; end+zeros < len(memory) && zeros < gap; {
			if memory[end+zeros] == 0 {
				zeros++
				continue
			}
			end += zeros + 1
			zeros = 0
		}
		runs = append(runs, [2]int{i, end})
		i = end
	}
	return runs
}

// appendSigned appends v as a signed LEB128.
func appendSigned(to []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(to, b)
		}
		to = append(to, b|0x80)
	}
}

// unaskedImports are the engine's imports of kinds that a servlet does not request.
func unaskedImports(requested []capabilities.Kind) map[[2]string]bool {
	unasked := map[[2]string]bool{}
	for name, kind := range importKinds {
		if !slices.Contains(requested, kind) {
			unasked[name] = true
		}
	}
	return unasked
}

// importKinds are the engine's imports that belong to a kind.
var importKinds = map[[2]string]capabilities.Kind{
	{"writ1", "config_get"}: capabilities.KindConfig,
	{"writ1", "http_start"}: capabilities.KindHTTP,
	{"writ1", "web_start"}:  capabilities.KindWeb,
	{"writ1", "kv_start"}:   capabilities.KindKV,

	{"wasi_snapshot_preview1", "path_open"}:             capabilities.KindFS,
	{"wasi_snapshot_preview1", "path_filestat_get"}:     capabilities.KindFS,
	{"wasi_snapshot_preview1", "path_create_directory"}: capabilities.KindFS,
	{"wasi_snapshot_preview1", "path_remove_directory"}: capabilities.KindFS,
	{"wasi_snapshot_preview1", "path_rename"}:           capabilities.KindFS,
	{"wasi_snapshot_preview1", "path_unlink_file"}:      capabilities.KindFS,
}
