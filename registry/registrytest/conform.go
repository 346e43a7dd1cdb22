package registrytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/registry"
)

// Conform runs the suite. open returns a store with nothing in it; called twice in one test it
// returns two views of the same store, as two processes have them, and closes them when t ends.
func Conform(t *testing.T, open func(t *testing.T) registry.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, registry.Store, registry.Store)
	}{
		{"compare and swap", compareAndSwap},
		{"versions are never used twice", versionsOnce},
		{"an error undoes everything", errorUndoes},
		{"a panic undoes everything and goes on", panicUndoes},
		{"reads see the transaction's own writes", ownWrites},
		{"ranges are ordered and bounded", ranges},
		{"bad keys and kinds are refused", refusals},
		{"a view cannot write", viewCannotWrite},
		{"no update is lost", noLostUpdate},
		{"generation", generation},
		{"blobs", blobs},
		{"segments", segments},
		{"cancelled context", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := open(t)
			c.run(t, first, open(t))
		})
	}
}

const kind = registry.KindConfig

func put(t *testing.T, s registry.Store, key, value string, version uint64) (uint64, error) {
	t.Helper()
	var next uint64
	err := s.Update(t.Context(), func(tx registry.Tx) (err error) {
		next, err = tx.Put(kind, key, []byte(value), version)
		return err
	})
	return next, err
}

func mustPut(t *testing.T, s registry.Store, key, value string, version uint64) uint64 {
	t.Helper()
	next, err := put(t, s, key, value, version)
	if err != nil {
		t.Fatalf("putting %q: %v", key, err)
	}
	return next
}

func get(t *testing.T, s registry.Store, key string) (rec registry.Record, err error) {
	t.Helper()
	err = s.View(t.Context(), func(tx registry.Tx) (err error) {
		rec, err = tx.Get(kind, key)
		return err
	})
	return rec, err
}

func wantValue(t *testing.T, s registry.Store, key, value string) {
	t.Helper()
	rec, err := get(t, s, key)
	if err != nil || string(rec.Value) != value || rec.Key != key {
		t.Errorf("record %q: got %q = %q, %v; want %q", key, rec.Key, rec.Value, err, value)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func compareAndSwap(t *testing.T, a, b registry.Store) {
	v1 := mustPut(t, a, "k", "one", 0)
	_, err := put(t, b, "k", "again", 0)
	wantError(t, err, registry.ErrConflict)
	v2 := mustPut(t, b, "k", "two", v1)
	_, err = put(t, a, "k", "late", v1)
	wantError(t, err, registry.ErrConflict)
	_, err = put(t, a, "absent", "x", v2)
	wantError(t, err, registry.ErrConflict)
	wantValue(t, a, "k", "two")

	remove := func(version uint64) error {
		return a.Update(t.Context(), func(tx registry.Tx) error { return tx.Delete(kind, "k", version) })
	}
	wantError(t, remove(v1), registry.ErrConflict)
	if err := remove(v2); err != nil {
		t.Errorf("deleting: %v", err)
	}
	wantError(t, remove(0), registry.ErrNotFound)
	_, err = get(t, b, "k")
	wantError(t, err, registry.ErrNotFound)
}

func versionsOnce(t *testing.T, a, b registry.Store) {
	seen := map[uint64]bool{0: true}
	for range 3 {
		version := mustPut(t, a, "k", "v", 0)
		if seen[version] {
			t.Fatalf("version %d was given to two records", version)
		}
		seen[version] = true
		err := b.Update(t.Context(), func(tx registry.Tx) error { return tx.Delete(kind, "k", version) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

func errorUndoes(t *testing.T, a, b registry.Store) {
	version := mustPut(t, a, "k", "before", 0)
	stop := errors.New("stop")
	err := a.Update(t.Context(), func(tx registry.Tx) error {
		if _, err := tx.Put(kind, "k", []byte("after"), version); err != nil {
			return err
		}
		if _, err := tx.Put(kind, "other", nil, 0); err != nil {
			return err
		}
		return stop
	})
	wantError(t, err, stop)
	wantValue(t, b, "k", "before")
	_, err = get(t, a, "other")
	wantError(t, err, registry.ErrNotFound)
}

func panicUndoes(t *testing.T, a, b registry.Store) {
	func() {
		defer func() {
			if r := recover(); r != "stop" {
				t.Errorf("recovered %v, want the panic of the function", r)
			}
		}()
		a.Update(t.Context(), func(tx registry.Tx) error {
			tx.Put(kind, "k", []byte("v"), 0)
			panic("stop")
		})
	}()
	_, err := get(t, b, "k")
	wantError(t, err, registry.ErrNotFound)
	mustPut(t, a, "k", "v", 0)
}

func ownWrites(t *testing.T, a, _ registry.Store) {
	err := a.Update(t.Context(), func(tx registry.Tx) error {
		version, err := tx.Put(kind, "k", []byte("one"), 0)
		if err != nil {
			return err
		}
		value := []byte("two")
		if version, err = tx.Put(kind, "k", value, version); err != nil {
			return err
		}
		value[0] = 'X' // the store took a copy
		rec, err := tx.Get(kind, "k")
		if err != nil || string(rec.Value) != "two" || rec.Version != version {
			t.Errorf("inside: got %q version %d, %v", rec.Value, rec.Version, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, a, "k", "two")
}

func ranges(t *testing.T, a, b registry.Store) {
	keys := []string{"a", "a\x00b", "a\x01", "b", "B", "é", "z"}
	for _, key := range keys {
		mustPut(t, a, key, "value of "+key, 0)
	}
	slices.Sort(keys)
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{"", "", keys},
		{"a", "b", []string{"a", "a\x00b", "a\x01"}},
		{"a\x00", "a\x01", []string{"a\x00b"}},
		{"b", "b", nil},
		{"zz", "", []string{"é"}},
		{"\xff", "", nil},
	} {
		var got []string
		err := b.View(t.Context(), func(tx registry.Tx) error {
			for rec, err := range tx.Range(kind, c.from, c.to) {
				if err != nil {
					return err
				}
				if string(rec.Value) != "value of "+rec.Key {
					t.Errorf("%q has the value %q", rec.Key, rec.Value)
				}
				got = append(got, rec.Key)
			}
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("range %q to %q: got %q, %v; want %q", c.from, c.to, got, err, c.want)
		}
	}
}

func refusals(t *testing.T, a, _ registry.Store) {
	for _, key := range []string{"", strings.Repeat("k", 1025)} {
		if _, err := put(t, a, key, "v", 0); err == nil {
			t.Errorf("a key of %d bytes was taken", len(key))
		}
	}
	err := a.View(t.Context(), func(tx registry.Tx) error {
		_, err := tx.Get("no such kind", "k")
		return err
	})
	if err == nil || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func viewCannotWrite(t *testing.T, a, b registry.Store) {
	version := mustPut(t, a, "k", "v", 0)
	a.View(t.Context(), func(tx registry.Tx) error {
		if _, err := tx.Put(kind, "k", []byte("changed"), version); err == nil {
			t.Error("a view wrote")
		}
		if err := tx.Delete(kind, "k", version); err == nil {
			t.Error("a view deleted")
		}
		return nil
	})
	wantValue(t, b, "k", "v")
}

func noLostUpdate(t *testing.T, a, b registry.Store) {
	const writers, each = 8, 5
	var wg sync.WaitGroup
	for i := range writers {
		s := []registry.Store{a, b}[i%2]
		wg.Go(func() {
			for range each {
				err := s.Update(t.Context(), func(tx registry.Tx) error {
					rec, err := tx.Get(kind, "count")
					if err != nil && !errors.Is(err, registry.ErrNotFound) {
						return err
					}
					_, err = tx.Put(kind, "count", append(rec.Value, '+'), rec.Version)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantValue(t, a, "count", strings.Repeat("+", writers*each))
}

func generation(t *testing.T, a, b registry.Store) {
	read := func(s registry.Store) uint64 {
		t.Helper()
		n, settled := s.Generation()
		if !settled {
			t.Fatal("not settled though nothing is under way")
		}
		return n
	}
	start := read(b)
	mustPut(t, a, "k", "v", 0)
	changed := read(b)
	if changed == start {
		t.Error("an update by the other did not change the generation")
	}
	get(t, a, "k")
	put(t, a, "k", "v", 0) // refused
	if read(b) != changed {
		t.Error("the generation changed without an update")
	}
	err := a.Update(t.Context(), func(tx registry.Tx) error {
		_, err := tx.Put(registry.KindCheckpoint, "c", nil, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if read(b) != changed {
		t.Error("a checkpoint changed the generation")
	}
}

func blobs(t *testing.T, a, b registry.Store) {
	ctx := t.Context()
	blob := bytes.Repeat([]byte("blob"), 10_000)
	sum := sha256.Sum256(blob)
	digest := hex.EncodeToString(sum[:])
	other := strings.Repeat("0", 64)

	_, err := a.Blob(ctx, digest)
	wantError(t, err, registry.ErrNotFound)
	for range 2 { // putting again is no error
		if err := a.PutBlob(ctx, digest, blob); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.PutBlob(ctx, other, blob); err == nil {
		t.Error("bytes were stored under a digest that is not theirs")
	}
	for _, name := range []string{"", "../writ.db", strings.ToUpper(digest), digest + "/.."} {
		if err := a.PutBlob(ctx, name, blob); err == nil {
			t.Errorf("stored a blob as %q", name)
		}
		if _, err := a.Blob(ctx, name); err == nil || errors.Is(err, registry.ErrNotFound) {
			t.Errorf("looked for a blob %q: %v", name, err)
		}
		if _, err := a.OpenBlob(ctx, name); err == nil || errors.Is(err, registry.ErrNotFound) {
			t.Errorf("opened a blob %q: %v", name, err)
		}
	}
	got, err := b.Blob(ctx, digest)
	if err != nil || !bytes.Equal(got, blob) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	testOpenBlob(t, b, digest, blob)
	_, err = b.OpenBlob(ctx, other)
	wantError(t, err, registry.ErrNotFound)
	list, err := b.Blobs(ctx)
	if err != nil || !slices.Equal(list, []string{digest}) {
		t.Errorf("listed %q, %v", list, err)
	}

	drop := func(result error) error {
		return b.Update(ctx, func(tx registry.Tx) error {
			wantError(t, tx.KeepBlob(other), registry.ErrNotFound)
			if err := tx.KeepBlob(digest); err != nil {
				t.Error(err)
			}
			return errors.Join(tx.DropBlob(digest), tx.DropBlob(other), result)
		})
	}
	stop := errors.New("stop")
	wantError(t, drop(stop), stop)
	if _, err := a.Blob(ctx, digest); err != nil {
		t.Errorf("dropped by a transaction that did not commit: %v", err)
	}
	if err := drop(nil); err != nil {
		t.Fatal(err)
	}
	_, err = a.Blob(ctx, digest)
	wantError(t, err, registry.ErrNotFound)
}

func segments(t *testing.T, a, b registry.Store) {
	ctx := t.Context()
	_, err := a.OpenSegment(ctx, "one")
	wantError(t, err, registry.ErrNotFound)
	segment, err := a.CreateSegment(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.CreateSegment(ctx, "one")
	wantError(t, err, registry.ErrExists)
	if _, err := b.CreateSegment(ctx, "../one"); err == nil {
		t.Error("made a segment outside of the folder")
	}
	for i := range 3 {
		if _, err := fmt.Fprintf(segment, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(segment.Sync(), segment.Close()); err != nil {
		t.Fatal(err)
	}
	in, err := b.OpenSegment(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil || string(text) != "line 0\nline 1\nline 2\n" {
		t.Errorf("read %q, %v", text, err)
	}
	if size, err := b.SegmentBytes(ctx); err != nil || size != int64(len(text)) {
		t.Errorf("%d bytes of segments, %v, want %d", size, err, len(text))
	}
	names, err := b.Segments(ctx)
	if err != nil || !slices.Equal(names, []string{"one"}) {
		t.Errorf("listed %q, %v", names, err)
	}
}

func cancelled(t *testing.T, a, b registry.Store) {
	// The first holds the store inside a transaction; the second waits for it until it is called off.
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- a.Update(t.Context(), func(tx registry.Tx) error {
			close(held)
			<-release
			_, err := tx.Put(kind, "k", []byte("v"), 0)
			return err
		})
	}()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Update(ctx, func(tx registry.Tx) error {
		_, err := tx.Put(kind, "late", nil, 0)
		return err
	})
	wantError(t, err, context.Canceled)
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantValue(t, b, "k", "v")
	_, err = get(t, b, "late")
	wantError(t, err, registry.ErrNotFound)
}

func testOpenBlob(t *testing.T, s registry.Store, digest string, blob []byte) {
	t.Helper()
	f, err := s.OpenBlob(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, len(blob)/2)
	if _, err := f.ReadAt(part, int64(len(blob)-len(part))); err != nil || f.Size() != int64(len(blob)) || !bytes.Equal(part, blob[len(blob)-len(part):]) {
		t.Errorf("the end of %d bytes is %q, %v", f.Size(), part, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
