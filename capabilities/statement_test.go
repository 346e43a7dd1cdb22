package capabilities_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

func statement(file []byte) (capabilities.Statement, error) {
	return capabilities.ReadStatement(bytes.NewReader(file), int64(len(file)))
}

// agree checks that reading the envelope alone says what verifying the whole file says, but for the
// module: nothing else may be believed by one and not by the other.
func agree(t *testing.T, file []byte) {
	t.Helper()
	whole, err := open(file)
	stated, statedErr := statement(file)
	switch {
	case err == nil && statedErr == nil:
		if stated.ManifestDigest() != whole.ManifestDigest() || stated.KeyID() != whole.KeyID() || stated.Manifest().Name != whole.Manifest().Name || len(stated.Tools()) != len(whole.Tools()) {
			t.Errorf("the envelope says %s of %s, the file %s of %s", stated.ManifestDigest(), stated.KeyID(), whole.ManifestDigest(), whole.KeyID())
		}
	case errors.Is(err, capabilities.ErrModule):
	case err == nil || statedErr == nil || err.Error() != statedErr.Error():
		t.Errorf("the envelope says %v, the file %v", statedErr, err)
	}
}

func TestStatementLooksAtTheEnvelopeAlone(t *testing.T) {
	module := append(bytes.Clone(emptyModule), custom("data", strings.Repeat("x", 8<<20))...)
	file, err := capabilities.Seal(module, sample(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	agree(t, file)
	r := &counted{r: bytes.NewReader(file)}
	if _, err := capabilities.ReadStatement(r, int64(len(file))); err != nil || r.n > 64<<10 {
		t.Errorf("%d bytes were read, %v", r.n, err)
	}
	file[len(emptyModule)+100]++
	if _, err := statement(file); err != nil {
		t.Errorf("it looked at the module: %v", err)
	}
	agree(t, file)
}

func TestStatementRefusesAnotherLengthOfModule(t *testing.T) {
	file := seal(t, sample())
	for name, changed := range map[string][]byte{
		"longer": append(append(bytes.Clone(emptyModule), custom("more", "")...), file[len(emptyModule):]...),
		"cut":    file[:len(file)-1],
		"grown":  append(bytes.Clone(file), custom("more", "")...),
		"empty":  {},
	} {
		if _, err := statement(changed); err == nil {
			t.Errorf("%s: accepted", name)
		}
		agree(t, changed)
	}
}

// A file that cannot be read is said to be that, and not to be damaged.
func TestStatementOfAFileThatCannotBeRead(t *testing.T) {
	file := seal(t, sample())
	broken := errors.New("input/output error")
	for n := range 6 {
		r := &counted{r: bytes.NewReader(file), failAfter: n, err: broken}
		if _, err := capabilities.ReadStatement(r, int64(len(file))); r.failed && !errors.Is(err, broken) {
			t.Errorf("read %d fails: %v", n, err)
		}
	}
	if _, err := capabilities.ReadStatement(bytes.NewReader(file), int64(len(file))+10); !errors.Is(err, io.EOF) {
		t.Errorf("a file that shrank: %v", err)
	}
}

// counted counts bytes, and fails after so many reads when it has an error.
type counted struct {
	r         io.ReaderAt
	n         int64
	reads     int
	failAfter int
	err       error
	failed    bool
}

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	if c.reads++; c.err != nil && c.reads > c.failAfter {
		c.failed = true
		return 0, c.err
	}
	n, err := c.r.ReadAt(p, at)
	c.n += int64(n)
	return n, err
}

func BenchmarkReadStatement(b *testing.B) {
	module := append(bytes.Clone(emptyModule), custom("data", strings.Repeat("x", 4<<20))...)
	file, err := capabilities.Seal(module, sample(), testKey)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := statement(file); err != nil {
			b.Fatal(err)
		}
	}
}
