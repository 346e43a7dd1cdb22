package capabilities

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// header is the Wasm magic number and binary version 1.
// Source: WebAssembly Core Specification, "Binary Format", "Modules".
var header = []byte("\x00asm\x01\x00\x00\x00")

// section is one custom section named SectionName: where its frame starts and ends in the file, and
// its content after the name.
type section struct {
	start, end int
	content    []byte
	minimal    bool // every length in its frame is in the shortest spelling
}

// findEnvelope walks the frames of all sections and returns the envelopes. Sections other than
// envelopes are only framed here; whether they make sense is decided by the gate of host/wasm.
func findEnvelope(file []byte) ([]section, error) {
	if !bytes.HasPrefix(file, header) {
		return nil, errors.New("not a WebAssembly module of version 1")
	}
	var found []section
	for at := len(header); at < len(file); {
		start := at
		id := file[at]
		size, n, minimal := readLength(file[at+1:])
		at += 1 + n
		if n == 0 || size > len(file)-at {
			return nil, fmt.Errorf("cut or damaged at offset %d: a section does not fit the file", start)
		}
		body := file[at : at+size]
		at += size
		if id != 0 {
			continue
		}
		length, n, short := readLength(body)
		if n == 0 || length > len(body)-n {
			return nil, fmt.Errorf("damaged at offset %d: a custom section without a name", start)
		}
		if string(body[n:n+length]) == SectionName {
			found = append(found, section{start: start, end: at, content: body[n+length:], minimal: minimal && short})
		}
	}
	return found, nil
}

// lastSection returns the only envelope of file, which must be its last section.
func lastSection(file []byte) (section, error) {
	found, err := findEnvelope(file)
	switch {
	case err != nil:
		return section{}, err
	case len(found) == 0:
		return section{}, ErrUnsigned
	case len(found) > 1:
		return section{}, fmt.Errorf("%d envelopes at offsets %d and %d: a servlet has one", len(found), found[0].start, found[1].start)
	case found[0].end != len(file):
		return section{}, fmt.Errorf("the envelope at offset %d is not the last section: it would not cover what follows", found[0].start)
	case !found[0].minimal:
		return section{}, fmt.Errorf("the envelope at offset %d has a padded length: only the shortest spelling is accepted", found[0].start)
	case len(found[0].content) > maxEnvelope:
		return section{}, fmt.Errorf("the envelope has %d bytes: the most is %d", len(found[0].content), maxEnvelope)
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
