package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// snapshot returns the digest of every file of a home but the lock.
func snapshot(t testing.TB, home string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(b)
		out[path] = string(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantUnchanged(t testing.TB, home string, before map[string]string) {
	t.Helper()
	after := snapshot(t, home)
	for path, sum := range before {
		if after[path] != sum {
			t.Errorf("%s was changed", path)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	}
}

// fullHome makes a home with enough in it for several pages of every form.
func fullHome(t testing.TB) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	r, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		install(t, r, "servlet-"+strconv.Itoa(i))
	}
	long := strings.Repeat("long value ", 1000) // overflows its page
	// The long value last: then the file has no older copy of it, in a page that nothing uses any more.
	for _, c := range []struct{ alias, value string }{{"servlet-1", "metric"}, {"servlet-2", long}} {
		if err := r.SetConfig(t.Context(), local, c.alias, "UNITS", c.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return home
}

func TestDamageIsRefused(t *testing.T) {
	pristine := fullHome(t)
	for name, c := range map[string]struct {
		damage func(home string) error
		want   error
		names  string // file that the error names
	}{
		"emptied":            {truncate("writ.db", 0), registry.ErrDamaged, "writ.db"},
		"cut to one byte":    {truncate("writ.db", 1), registry.ErrDamaged, "writ.db"},
		"cut to a page":      {truncate("writ.db", 4096), registry.ErrDamaged, "writ.db"},
		"cut in half":        {edit("writ.db", func(b []byte) []byte { return b[:len(b)/2] }), registry.ErrDamaged, "writ.db"},
		"zeros":              {edit("writ.db", func(b []byte) []byte { clear(b); return b }), registry.ErrDamaged, "writ.db"},
		"garbage":            {edit("writ.db", garbage), registry.ErrDamaged, "writ.db"},
		"garbage after root": {edit("writ.db", func(b []byte) []byte { garbage(b[8192:]); return b }), registry.ErrDamaged, "writ.db"},
		"first root gone":    {edit("writ.db", func(b []byte) []byte { clear(b[:4096]); return b }), registry.ErrDamaged, "writ.db"},
		"second root gone":   {edit("writ.db", func(b []byte) []byte { clear(b[4096:8192]); return b }), registry.ErrDamaged, "writ.db"},
		"root of long ago":   {oldRoot, registry.ErrDamaged, "writ.db"},
		"a bit in a value": {edit("writ.db", func(b []byte) []byte {
			b[bytes.LastIndex(b, []byte("long value"))] ^= 1
			return b
		}), registry.ErrDamaged, "writ.db"},
		"another home's store": {func(home string) error {
			b, err := os.ReadFile(filepath.Join(fullHome(t), "writ.db"))
			return errors.Join(err, os.WriteFile(filepath.Join(home, "writ.db"), b, 0o600))
		}, registry.ErrDamaged, "writ.db"},
		"missing":    {remove("writ.db"), registry.ErrDamaged, "writ.db"},
		"only blobs": {func(home string) error { return errors.Join(remove("writ.db")(home), remove("generation")(home)) }, registry.ErrDamaged, "writ.db"},
		"a folder": {func(home string) error {
			return errors.Join(remove("writ.db")(home), os.Mkdir(filepath.Join(home, "writ.db"), 0o700))
		}, registry.ErrDamaged, "writ.db"},
		"home key gone":  {remove("keys/home.key"), registry.ErrDamaged, "home.key"},
		"home key empty": {truncate("keys/home.key", 0), registry.ErrDamaged, "home.key"},
		"newer":          {func(home string) error { return registry.WriteSchema(home, 99) }, registry.ErrNewer, "schema 99"},
	} {
		t.Run(name, func(t *testing.T) {
			home := filepath.Join(t.TempDir(), "home")
			if err := os.CopyFS(home, os.DirFS(pristine)); err != nil {
				t.Fatal(err)
			}
			// CopyFS gives files the umask's mode; those of a home are private.
			if err := os.Chmod(filepath.Join(home, "keys", "home.key"), 0o600); err != nil {
				t.Fatal(err)
			}
			registrytest.OpenHome(t, home, nil) // the control: the copy is a good home
			if err := c.damage(home); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, home)
			for range 2 {
				_, err := registry.Open(home, nil)
				wantError(t, err, c.want)
				if err == nil || !strings.Contains(err.Error(), c.names) {
					t.Errorf("%v does not name %s", err, c.names)
				}
			}
			wantUnchanged(t, home, before)
		})
	}
}

func truncate(name string, size int64) func(string) error {
	return func(home string) error { return os.Truncate(filepath.Join(home, name), size) }
}

func remove(name string) func(string) error {
	return func(home string) error { return os.Remove(filepath.Join(home, name)) }
}

func edit(name string, change func([]byte) []byte) func(string) error {
	return func(home string) error {
		path := filepath.Join(home, name)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, change(b), 0o600)
	}
}

func garbage(b []byte) []byte {
	random := rand.NewChaCha8([32]byte{1})
	random.Read(b)
	return b
}

// oldRoot changes the home twice and then puts a root of before back, as a disk does that loses a write.
func oldRoot(home string) error {
	path := filepath.Join(home, "writ.db")
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	r, err := registry.Open(home, nil)
	if err != nil {
		return err
	}
	for _, value := range []string{"one", "two"} {
		err = errors.Join(err, r.SetConfig(context.Background(), local, "servlet-1", "UNITS", value))
	}
	err = errors.Join(err, r.Close())
	return errors.Join(err, edit("writ.db", func(b []byte) []byte {
		const number = 16 + 48 // the root's transaction
		older := 0
		if b[4096+number] < b[number] {
			older = 4096
		}
		copy(b[older:older+4096], before[older:])
		return b
	})(home))
}

// farPage makes the bucket of the audit begin at a page far outside of the file.
func farPage(b []byte) []byte {
	root := regexp.MustCompile(`(?s)audit[^\x00].\x00{6}`)
	return root.ReplaceAll(b, []byte("audit\x00\x00\x00\x40\x00\x00\x00\x00"))
}

// Bits of the file are flipped one at a time: either the store is refused, or the bit means nothing
// and every record is as it was. Nothing panics, nothing hangs.
func TestNoFlippedBitGoesUnseen(t *testing.T) {
	home := fullHome(t)
	pristine := must(os.ReadFile(filepath.Join(home, "writ.db")))
	want := must(registry.ReadAll(home, pristine))
	if len(want) < 30 {
		t.Fatalf("only %d records to look at", len(want))
	}
	const page, table = 4096, 16 + 16*8
	for name, c := range map[string]struct {
		in       func(offset int) bool
		step     int // coprime to the layout, so that every field is hit
		readBack int // of the flips that pass, every nth is read through the database
	}{
		"heads of pages": {func(offset int) bool { return offset%page < table }, 19, 2},
		"all":            {func(int) bool { return true }, 101, 16},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				c.step *= 11
			}
			b := bytes.Clone(pristine)
			refused, passed := 0, 0
			for bit := 0; bit < len(b)*8; bit += c.step {
				if !c.in(bit / 8) {
					continue
				}
				b[bit/8] ^= 1 << (bit % 8)
				if err := registry.CheckFile(home, b); err != nil {
					refused++
				} else if passed++; passed%c.readBack == 0 {
					if got, err := registry.ReadAll(home, b); err != nil || !maps.Equal(got, want) {
						t.Errorf("bit %d of byte %#x changes what is read: %v", bit%8, bit/8, err)
					}
				}
				b[bit/8] = pristine[bit/8]
			}
			t.Logf("%d bytes, %d records: %d flips refused, %d meant nothing", len(b), len(want), refused, passed)
			if refused == 0 || passed == 0 {
				t.Error("BUG: the test tells nothing apart")
			}
		})
	}
}

// The same through the database, while a process has the home open and has checked it before: a
// fault in a mapped page must not end the process.
func TestDamageWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		"emptied":     truncate("writ.db", 0),
		"cut in half": edit("writ.db", func(b []byte) []byte { return b[:len(b)/2] }),
		"garbage":     edit("writ.db", func(b []byte) []byte { garbage(b[8192:]); return b }),
		"far page":    edit("writ.db", farPage),
		"missing":     remove("writ.db"),
	} {
		t.Run(name, func(t *testing.T) {
			home := fullHome(t)
			r, err := registry.Open(home, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := r.Lookup(t.Context(), local, "servlet-1"); err != nil {
				t.Fatal(err)
			}
			good := must(os.ReadFile(filepath.Join(home, "writ.db")))
			if err := damage(home); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, home)
			for range 3 {
				wantError(t, r.SetConfig(t.Context(), local, "servlet-1", "K", "V"), registry.ErrDamaged)
				_, err := r.Audit(t.Context(), local, registry.Filter{})
				wantError(t, err, registry.ErrDamaged)
				_, err = r.List(t.Context(), capabilities.Local("other"))
				wantError(t, err, registry.ErrDamaged)
			}
			wantUnchanged(t, home, before)
			// A copy put back is taken up without a restart.
			if err := os.WriteFile(filepath.Join(home, "writ.db"), good, 0o600); err != nil {
				t.Fatal(err)
			}
			wantError(t, r.SetConfig(t.Context(), local, "servlet-1", "K", "V"), nil)
		})
	}
}

// A grant edited by someone who knows the format but not the home's key does not pass.
func TestEditedGrantIsRefused(t *testing.T) {
	home := fullHome(t)
	pristine := must(os.ReadFile(filepath.Join(home, "writ.db")))
	for name, change := range map[string]func([]byte) []byte{
		"another tool": func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"tools":["read"]`), []byte(`"tools":["kill"]`))
		},
		"resealed without the key": func(b []byte) []byte { return registry.Reseal(b, "read", "kill") },
	} {
		t.Run(name, func(t *testing.T) {
			edited := change(bytes.Clone(pristine))
			if reflect.DeepEqual(edited, pristine) {
				t.Fatal("BUG: nothing was edited")
			}
			_, err := registry.ReadAll(home, edited)
			wantError(t, err, registry.ErrDamaged)
		})
	}
}

// Whatever bytes stand in place of others, the check ends with an answer: no panic, no endless walk.
func FuzzStoreFile(f *testing.F) {
	home := fullHome(f)
	pristine := must(os.ReadFile(filepath.Join(home, "writ.db")))
	f.Add(uint32(0), []byte{})
	f.Add(uint32(4096), []byte{0})                                                  // second root
	f.Add(uint32(2*4096+8), []byte{1, 0, 3, 0})                                     // a page becomes a branch
	f.Add(uint32(3*4096+12), []byte{0xff, 0xff, 0xff, 0xff})                        // endless overflow
	f.Add(uint32(4*4096), binary.NativeEndian.AppendUint64(nil, 5))                 // another page's number
	f.Add(uint32(5*4096+16), bytes.Repeat([]byte{0xff}, 16))                        // an entry far outside
	f.Add(uint32(6*4096+8), []byte{0x10, 0, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff})    // endless free list
	f.Add(uint32(7*4096), append(make([]byte, 8), 0x02, 0, 1, 0, 0xff, 0xff, 0xff)) // a leaf that overflows
	f.Fuzz(func(t *testing.T, offset uint32, patch []byte) {
		b := bytes.Clone(pristine)
		at := int(offset) % len(b)
		changed := copy(b[at:], patch) > 0 && !bytes.Equal(b, pristine)
		if err := registry.CheckFile(home, b); err != nil && !changed {
			t.Errorf("refused a good store: %v", err)
		}
	})
}

// The check refuses nothing that the database itself writes: records of all sizes come and go, pages
// split, merge, overflow and are used again, and after every commit the whole file passes.
func TestGoodStoresPassTheCheck(t *testing.T) {
	home := t.TempDir()
	s, err := registry.OpenStore(home, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 2))
	commits := 60
	if testing.Short() {
		commits = 20
	}
	for n := range commits {
		err := s.Update(t.Context(), func(tx registry.Tx) error {
			for range random.IntN(40) {
				key := strings.Repeat("k", 1+random.IntN(60)) + strconv.Itoa(random.IntN(10))
				rec, err := tx.Get(registry.KindConfig, key)
				if err == nil && random.IntN(3+n%5) > 1 {
					err = tx.Delete(registry.KindConfig, key, rec.Version)
				} else if err == nil || errors.Is(err, registry.ErrNotFound) {
					size := []int{0, 10, 300, 3000, 20_000}[random.IntN(5)]
					_, err = tx.Put(registry.KindConfig, key, make([]byte, size), rec.Version)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := registry.CheckFile(home, must(os.ReadFile(filepath.Join(home, "writ.db")))); err != nil {
			t.Fatalf("after commit %d: %v", n, err)
		}
	}
}
