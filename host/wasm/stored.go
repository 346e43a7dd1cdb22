package wasm

import (
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// source is this package's own, tests included: a pattern cannot leave them out.
//
//go:embed *.go
var source embed.FS

// Identity names what Gate and Meter do: it is the digest of their own source, so that no change of
// theirs can be forgotten. What they made before is used again only under the same identity.
var Identity = sync.OnceValue(func() [sha256.Size]byte { return identityOf(source) })

// identityOf leaves tests out: they change nothing of what is made.
func identityOf(source fs.FS) [sha256.Size]byte {
	h := sha256.New()
	files, err := fs.Glob(source, "*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		var text []byte
		if text, err = fs.ReadFile(source, name); err != nil {
			break
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	if err != nil || len(files) == 0 {
		panic("BUG: the source that was embedded cannot be read")
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Append appends m to b as ReadMetered reads it.
func (m Metered) Append(b []byte) ([]byte, error) {
	shape, err := json.Marshal(m.shape)
	if err != nil {
		return nil, fmt.Errorf("storing metered module: %w", err)
	}
	b = appendPart(appendPart(b, shape), m.code)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.data)))
	for _, d := range m.data {
		b = appendPart(binary.LittleEndian.AppendUint32(b, d.offset), d.bytes)
	}
	return b, nil
}

func appendPart(b, part []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(part))), part...)
}

var errStored = errors.New("reading stored module: it is cut")

// ReadMetered reads what Append wrote; the result keeps b. It believes it: b must come from where only
// this user can write, beside the machine code that is run without a look, and must be of this Identity.
func ReadMetered(b []byte) (Metered, error) {
	var m Metered
	shape, b, ok := cutPart(b)
	if !ok || json.Unmarshal(shape, &m.shape) != nil {
		return Metered{}, errStored
	}
	if m.code, b, ok = cutPart(b); !ok || len(m.code) == 0 {
		return Metered{}, errStored
	}
	if len(b) < 4 {
		return Metered{}, errStored
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	m.data = slices.Grow(m.data, int(min(n, uint32(len(b)/8)))) // a segment has 8 bytes or more
	for range n {
		if len(b) < 4 {
			return Metered{}, errStored
		}
		d := segment{offset: binary.LittleEndian.Uint32(b)}
		if d.bytes, b, ok = cutPart(b[4:]); !ok {
			return Metered{}, errStored
		}
		m.data = append(m.data, d)
	}
	return m, nil
}

func cutPart(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}
