package capabilities

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// header is the Wasm magic number and binary version 1.
// Source: WebAssembly Core Specification, "Binary Format", "Modules".
var header = []byte("\x00asm\x01\x00\x00\x00")

// section is one custom section named SectionName: where its frame starts and ends in the file, and
// where its content begins, after the name.
type section struct {
	start, from, end int64
	minimal          bool // every length in its frame is in the shortest spelling
}

// content reads what the section holds.
func (s section) content(file io.ReaderAt) ([]byte, error) {
	p := make([]byte, s.end-s.from)
	if n, err := file.ReadAt(p, s.from); n < len(p) {
		return nil, fmt.Errorf("reading the envelope at offset %d: %w", s.start, err)
	}
	return p, nil
}

// findEnvelope walks the frames of all sections and returns the envelopes. Sections other than
// envelopes are only framed here; whether they make sense is decided by the gate of host/wasm.
func findEnvelope(file io.ReaderAt, size int64) ([]section, error) {
	w := window{file: file, size: size}
	found, err := w.envelopes()
	if w.err != nil { // what follows from bytes that could not be read is no news
		return nil, fmt.Errorf("reading the file: %w", w.err)
	}
	return found, err
}

func (w *window) envelopes() (found []section, err error) {
	if !bytes.HasPrefix(w.at(0), header) {
		return nil, errors.New("not a WebAssembly module of version 1")
	}
	for at := int64(len(header)); at < w.size && w.err == nil; {
		start := at
		frame := w.at(at)
		id := frame[0]
		size, n, minimal := readLength(frame[1:])
		at += int64(1 + n)
		if n == 0 || int64(size) > w.size-at {
			return nil, fmt.Errorf("cut or damaged at offset %d: a section does not fit the file", start)
		}
		body := at
		at += int64(size)
		if id != 0 {
			continue
		}
		name := w.at(body)
		name = name[:min(len(name), size)]
		length, n, short := readLength(name)
		if n == 0 || length > size-n {
			return nil, fmt.Errorf("damaged at offset %d: a custom section without a name", start)
		}
		if length == len(SectionName) && string(name[n:n+length]) == SectionName {
			found = append(found, section{start: start, from: body + int64(n+length), end: at, minimal: minimal && short})
		}
	}
	return found, nil
}

// window looks at a file here and there without reading all of it.
type window struct {
	file io.ReaderAt
	size int64
	err  error // of the first read that failed

	block [4096]byte
	from  int64
	have  int
}

// glance is how many bytes at returns unless the file ends: more than any frame's head.
const glance = 64

// at returns the bytes at an offset inside the file, glance of them or what is left. After a failed
// read they are zeros.
func (w *window) at(offset int64) []byte {
	want := int(min(glance, w.size-offset))
	if offset < w.from || offset+int64(want) > w.from+int64(w.have) {
		block := w.block[:min(int64(len(w.block)), max(w.size-offset, 0))]
		n, err := w.file.ReadAt(block, offset)
		if n < len(block) && w.err == nil {
			w.err = err
			clear(block[n:])
		}
		w.from, w.have = offset, len(block)
	}
	from := int(offset - w.from)
	return w.block[from : from+want]
}

// lastSection returns the only envelope of file, which must be its last section.
func lastSection(file io.ReaderAt, size int64) (section, error) {
	found, err := findEnvelope(file, size)
	switch {
	case err != nil:
		return section{}, err
	case len(found) == 0:
		return section{}, ErrUnsigned
	case len(found) > 1:
		return section{}, fmt.Errorf("%d envelopes at offsets %d and %d: a servlet has one", len(found), found[0].start, found[1].start)
	case found[0].end != size:
		return section{}, fmt.Errorf("the envelope at offset %d is not the last section: it would not cover what follows", found[0].start)
	case !found[0].minimal:
		return section{}, fmt.Errorf("the envelope at offset %d has a padded length: only the shortest spelling is accepted", found[0].start)
	case found[0].end-found[0].from > maxEnvelope:
		return section{}, fmt.Errorf("the envelope has %d bytes: the most is %d", found[0].end-found[0].from, maxEnvelope)
	}
	return found[0], nil
}

// appendSection returns module with content as its last section, named SectionName.
func appendSection(module, content []byte) []byte {
	name := binary.AppendUvarint(nil, uint64(len(SectionName)))
	name = append(name, SectionName...)
	out := append(bytes.Clone(module), 0)
	out = binary.AppendUvarint(out, uint64(len(name)+len(content)))
	out = append(out, name...)
	return append(out, content...)
}

// readLength reads an unsigned LEB128 of at most 32 bits. n is 0 when b has none. Compilers pad
// lengths to five bytes, so that a longer spelling is legal in Wasm; minimal says that it is not one.
func readLength(b []byte) (value, n int, minimal bool) {
	var v uint64
	for i := 0; i < len(b) && i < 5; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			if v > math.MaxUint32 || v > math.MaxInt {
				return 0, 0, false
			}
			return int(v), i + 1, i == 0 || b[i] != 0
		}
	}
	return 0, 0, false
}
