package capabilities_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// custom is a Wasm custom section, with lengths as short as they can be.
func custom(name, content string) []byte {
	body := append(binary.AppendUvarint(nil, uint64(len(name))), name+content...)
	return append(binary.AppendUvarint([]byte{0}, uint64(len(body))), body...)
}

func TestSealIsDeterministic(t *testing.T) {
	if !bytes.Equal(seal(t, sample()), seal(t, sample())) {
		t.Error("two seals of one manifest differ")
	}
}

func TestSealReplacesAnEnvelope(t *testing.T) {
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	first := seal(t, sample())
	m := mustOpen(t, first).Manifest()
	m.Seq++
	second, err := capabilities.Seal(first, m, other)
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, second)
	if s.Manifest().Seq != 18 || s.KeyID() != capabilities.KeyID(other.Public().(ed25519.PublicKey)) || !bytes.Equal(s.Module(), emptyModule) {
		t.Errorf("got seq %d, key %s, module %x", s.Manifest().Seq, s.KeyID(), s.Module())
	}
	if bytes.Count(second, []byte(capabilities.SectionName)) != 1 {
		t.Error("the old envelope is still there")
	}
	if !bytes.Equal(seal(t, sample()), first) {
		t.Error("sealing wrote into its input")
	}
}

func TestSealRefusesWhatNoReaderWouldAccept(t *testing.T) {
	bad := sample()
	bad.Tools = append(bad.Tools, json.RawMessage(`{"name":"x","name":"y","inputSchema":{"type":"object"}}`))
	if _, err := capabilities.Seal(emptyModule, bad, testKey); err == nil {
		t.Error("signed a tool with a duplicate name")
	}
	inner := slices.Concat(seal(t, sample()), custom("more", ""))
	if _, err := capabilities.Seal(inner, sample(), testKey); err == nil {
		t.Error("signed a module with an envelope inside")
	}
	if _, err := capabilities.Seal([]byte("#!/bin/sh"), sample(), testKey); err == nil {
		t.Error("signed a script")
	}
}

func TestSealCompactsTools(t *testing.T) {
	m := sample()
	m.Tools[1] = json.RawMessage("{ \"name\": \"write\",\n\t\"inputSchema\": { \"type\": \"object\" }, \"description\": \"\\u0041\" }")
	s := mustOpen(t, seal(t, m))
	if got, want := string(s.Tools()[1].Raw), `{"name":"write","inputSchema":{"type":"object"},"description":"A"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPaddedLengthsOfOtherSectionsAreLegal(t *testing.T) {
	// As LLVM writes them: a name section whose length has five bytes.
	padded := append(bytes.Clone(emptyModule), 0, 0x85, 0x80, 0x80, 0x80, 0x00, 4, 'n', 'a', 'm', 'e')
	file, err := capabilities.Seal(padded, sample(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, file); !bytes.Equal(s.Module(), padded) {
		t.Error("the module was changed")
	}
}

// Every single-bit flip of a whole file is refused: in the module, the frame, the envelope, the
// manifest and the signature.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	t.Parallel()
	m := sample()
	m.Tools, m.Uses = m.Tools[:1], map[string][]string{"read": {"fs:docs:ro"}}
	m.Capabilities.HTTP, m.Capabilities.Config, m.Capabilities.FS = nil, nil, m.Capabilities.FS[:1]
	file, err := capabilities.Seal(append(bytes.Clone(emptyModule), custom("producers", "\x00")...), m, testKey)
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, file)
	for bit := range len(file) * 8 {
		file[bit/8] ^= 1 << (bit % 8)
		if _, err := open(file); err == nil {
			t.Errorf("bit %d of byte %d (%q) flipped and accepted", bit%8, bit/8, file[bit/8])
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
	t.Logf("%d bits", len(file)*8)
}

func TestEveryCutIsRefused(t *testing.T) {
	file := seal(t, sample())
	for n := range file {
		if _, err := open(file[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes and accepted", n, len(file))
		}
	}
}

func TestMixAndMatchIsRefused(t *testing.T) {
	file := seal(t, sample())
	envelope := file[len(emptyModule):]
	other := append(bytes.Clone(emptyModule), custom("x", "y")...)
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"another module", slices.Concat(other, envelope), capabilities.ErrModule},
		{"no envelope", other, capabilities.ErrUnsigned},
		{"two envelopes", slices.Concat(file, envelope), nil},
		{"a section behind the envelope", slices.Concat(file, custom("x", "y")), nil},
		{"a byte behind the envelope", slices.Concat(file, []byte{0}), nil},
		{"the envelope first", slices.Concat(emptyModule, envelope, custom("x", "y")), nil},
	} {
		_, err := open(c.file)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestErrorsOfReadAreOneLine(t *testing.T) {
	file := seal(t, sample())
	for n := range file {
		if _, err := open(file[:n]); strings.Contains(fmt.Sprint(err), "\n") {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
}

func TestZeroValuesRefuse(t *testing.T) {
	if s, err := (capabilities.Unverified{}).Verify(); err == nil {
		t.Errorf("the zero Unverified verifies: %+v", s.Manifest())
	}
	if _, err := capabilities.Read(nil); err == nil {
		t.Error("nothing was read as a servlet")
	}
	if err := (capabilities.Manifest{}).Validate(); err == nil {
		t.Error("the zero Manifest is valid")
	}
}

func TestDigestsNameTheBytes(t *testing.T) {
	file := seal(t, sample())
	s := mustOpen(t, file)
	if got, want := s.Digest(), digest(file); got != want {
		t.Errorf("file: %s, want %s", got, want)
	}
	if got, want := s.ManifestDigest(), digest(s.Payload()); got != want {
		t.Errorf("manifest: %s, want %s", got, want)
	}
	if got, want := s.Manifest().Module.SHA256, digest(s.Module()); got != want {
		t.Errorf("module: %s, want %s", got, want)
	}
}

// FuzzRead: nothing panics, and a file that is accepted is the file that sealing its parts gives.
func FuzzRead(f *testing.F) {
	file := seal(f, sample())
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add(append(bytes.Clone(file), 0))
	f.Add(emptyModule)
	f.Add(append(bytes.Clone(emptyModule), custom(capabilities.SectionName, `{"payload":"","payloadType":"`+capabilities.PayloadType+`","signatures":[]}`)...))
	f.Add(append(bytes.Clone(emptyModule), 0, 0xff, 0xff, 0xff, 0xff, 0x0f))
	f.Fuzz(func(t *testing.T, data []byte) {
		agree(t, data)
		s, err := open(data)
		if err != nil {
			return
		}
		if s.KeyID() != capabilities.KeyID(testKey.Public().(ed25519.PublicKey)) {
			return
		}
		again, err := capabilities.Seal(s.Module(), s.Manifest(), testKey)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted a file that sealing does not give: %v", err)
		}
	})
}

func BenchmarkReadAndVerify(b *testing.B) {
	m := sample()
	for i := range 10 {
		m.Tools = append(m.Tools, fmt.Appendf(nil, `{"name":"tool_%d","description":%q,"inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"where"},"limit":{"type":"integer"}},"required":["path"]}}`, i, strings.Repeat("words ", 40)))
	}
	module := append(bytes.Clone(emptyModule), custom("data", strings.Repeat("x", 4<<20))...)
	file, err := capabilities.Seal(module, m, testKey)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		mustOpen(b, file)
	}
}
