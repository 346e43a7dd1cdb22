package registry

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// StoreSchema is this Writ's.
const StoreSchema = storeSchema

// OpenStore opens the store of a home alone.
func OpenStore(home string, wait time.Duration) (Store, error) {
	h, err := openHome(home, wait, nil)
	if err != nil {
		return nil, err
	}
	s, _, err := openBolt(context.Background(), h)
	return s, err
}

// StoreOf returns a registry's store, to change what only the registry changes.
func StoreOf(r *Registry) Store { return r.store }

// AtStep returns options whose function is called between the steps that must survive a crash.
func AtStep(step func(point string)) *Options { return &Options{step: step} }

// SegmentLimit returns options under which a segment is full after that many bytes.
func SegmentLimit(bytes int64) *Options { return &Options{segmentLimit: bytes} }

// Tend does what the goroutine of the call log does after a while.
func Tend(r *Registry) { r.calls.tend() }

// FailWrites lets every write of a segment that is made from now on fail as long as fail returns an
// error, after none or half of its bytes.
func FailWrites(r *Registry, partly bool, fail func() error) {
	r.store = fullDisk{r.store, fail, partly}
}

type fullDisk struct {
	Store
	fail   func() error
	partly bool
}

func (d fullDisk) CreateSegment(ctx context.Context, name string) (Segment, error) {
	s, err := d.Store.CreateSegment(ctx, name)
	return fullFile{s, d.fail, d.partly}, err
}

type fullFile struct {
	Segment
	fail   func() error
	partly bool
}

func (f fullFile) Write(p []byte) (int, error) {
	if err := f.fail(); err != nil {
		n := 0
		if f.partly {
			n, _ = f.Segment.Write(p[:len(p)/2])
		}
		return n, err
	}
	return f.Segment.Write(p)
}

// Rechain writes a segment anew with every entry changed and every hash right.
func Rechain(t testing.TB, segment []byte, change func(*Entry)) []byte {
	var out []byte
	prev := ""
	for line := range bytes.Lines(segment) {
		var e Entry
		if err := strictjson.Decode(bytes.TrimSpace(line), &e); err != nil {
			t.Fatal(err)
		}
		if prev == "" {
			prev = e.Prev
		}
		change(&e)
		encoded, err := e.link(e.Chain, e.Seq, prev, e.Time)
		if err != nil {
			t.Fatal(err)
		}
		prev = e.Hash
		out = append(append(out, encoded...), '\n')
	}
	return out
}

func sealerOf(path string) (*sealer, error) {
	key, err := (&home{path: path}).loadHomeKey(false)
	return newSealer(key.seal), err
}

// CheckFile checks the bytes of a home's store file as Open does.
func CheckFile(path string, file []byte) error {
	sealer, err := sealerOf(path)
	if err != nil {
		return err
	}
	s := &boltStore{home: &home{path: path}, sealer: sealer}
	return s.checkAll(bytes.NewReader(file), int64(len(file)))
}

// ReadAll puts bytes in the place of a home's store file, opens it as Open does, and returns every
// record by kind and key, as found by key.
func ReadAll(home string, file []byte) (map[string]string, error) {
	if err := os.WriteFile(filepath.Join(home, storeFile), file, 0o600); err != nil {
		return nil, err
	}
	s, err := OpenStore(home, time.Minute)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := map[string]string{}
	err = s.View(context.Background(), func(tx Tx) error {
		for _, kind := range Kinds() {
			for rec, err := range tx.Range(kind, "", "") {
				if err != nil {
					return err
				}
				found, err := tx.Get(kind, rec.Key)
				if err != nil {
					return err
				}
				out[string(kind)+" "+rec.Key] = fmt.Sprint(found.Version, " ", string(found.Value))
			}
		}
		return nil
	})
	return out, err
}

// WriteSchema makes the store of a home one of another schema, with a kind that this Writ does not know.
func WriteSchema(home string, schema uint64) error {
	sealer, err := sealerOf(home)
	if err != nil {
		return err
	}
	db, err := bbolt.Open(filepath.Join(home, storeFile), 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket([]byte("unheard-of")); err != nil {
			return err
		}
		r := Record{Key: schemaKey, Value: binary.BigEndian.AppendUint64(nil, schema)}
		return tx.Bucket([]byte(schemaBucket)).Put([]byte(schemaKey), sealer.seal(schemaKind, r))
	})
}

// Overtake does what a newer Writ's upgrade does to a store: another file takes its place.
func Overtake(home string, schema uint64) error {
	path := filepath.Join(home, storeFile)
	old, err := os.ReadFile(path)
	if err == nil {
		err = os.Rename(path, path+".before")
	}
	if err == nil {
		err = os.WriteFile(path, old, 0o600)
	}
	if err != nil {
		return err
	}
	return WriteSchema(home, schema)
}

// Reseal edits every record of a store file that contains from, and seals it as well as someone can
// who does not have the home's key.
func Reseal(file []byte, from, to string) []byte {
	v := &resealer{file: file, from: []byte(from), to: []byte(to)}
	walkPages(bytes.NewReader(bytes.Clone(file)), int64(len(file)), v)
	return file
}

type resealer struct {
	file, from, to []byte
	kind           Kind
}

func (v *resealer) bucket(name []byte, _ uint64) error {
	v.kind = Kind(name)
	return nil
}

func (v *resealer) element(key, stored []byte) error {
	if !bytes.Contains(stored, v.from) {
		return nil
	}
	r := Record{
		Key:     string(key),
		Version: binary.BigEndian.Uint64(stored[1:9]),
		Value:   bytes.ReplaceAll(stored[recordHeader:], v.from, v.to),
	}
	copy(v.file[bytes.Index(v.file, stored):], newSealer(make([]byte, 32)).seal(v.kind, r))
	return nil
}

// BumpGeneration does what another process's change does to this one's memory.
func BumpGeneration(t testing.TB, path string) {
	g := generation{path: filepath.Join(path, generationFile)}
	if err := g.settle(); err != nil {
		t.Fatal(err)
	}
}

// StoreFileOf returns the bytes of a store with n records of a value.
func StoreFileOf(t testing.TB, path string, n int, value string) []byte {
	s, err := OpenStore(path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(context.Background(), func(tx Tx) error {
		for i := range n {
			if _, err := tx.Put(KindAudit, auditKey(uint64(i+1)), []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(path, storeFile))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Downgrade turns a home into one of a Writ of an older schema, without what came later.
func Downgrade(home string, schema uint64) error {
	sealer, err := sealerOf(home)
	if err != nil {
		return err
	}
	db, err := bbolt.Open(filepath.Join(home, storeFile), 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		for kind, since := range kindsSince {
			if since <= schema {
				continue
			}
			if err := tx.DeleteBucket([]byte(kind)); err != nil {
				return err
			}
		}
		r := Record{Key: schemaKey, Value: binary.BigEndian.AppendUint64(nil, schema)}
		return tx.Bucket([]byte(schemaBucket)).Put([]byte(schemaKey), sealer.seal(schemaKind, r))
	})
}

// Contents are what is hashed of an entry, as it is written in a call and as who reads it writes it; plain
// is false when both are the same function.
func Contents(e Entry) (quick []byte, plain bool, slow []byte, err error) {
	if err = e.check(); err != nil {
		return nil, false, nil, err
	}
	quick, plain = e.plainContent()
	slow, err = e.content()
	return quick, plain, slow, err
}
