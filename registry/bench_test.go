package registry_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func BenchmarkOpen(b *testing.B) {
	home := fullHome(b)
	for b.Loop() {
		r, err := registry.Open(home, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkLookupCached(b *testing.B) {
	r := registrytest.Open(b)
	install(b, r, "notes")
	for b.Loop() {
		if _, err := r.Lookup(b.Context(), local, "notes"); err != nil {
			b.Fatal(err)
		}
	}
}

// Another process changed something: the lookup opens the store.
func BenchmarkLookupAfterChange(b *testing.B) {
	home := b.TempDir()
	r := registrytest.OpenHome(b, home, nil)
	install(b, r, "notes")
	for b.Loop() {
		registry.BumpGeneration(b, home)
		if _, err := r.Lookup(b.Context(), local, "notes"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetConfig(b *testing.B) {
	r := registrytest.Open(b)
	install(b, r, "notes")
	for i := 0; b.Loop(); i++ {
		if err := r.SetConfig(b.Context(), local, "notes", "UNITS", strconv.Itoa(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, durable := range map[string]bool{"batched": false, "durable": true} {
		b.Run(name, func(b *testing.B) {
			r := registrytest.Open(b)
			record(b, r, durable, "first")
			e := call("id")
			for b.Loop() {
				if err := r.Record(b.Context(), e, durable); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What Open's check of the whole store costs, per byte of it.
func BenchmarkCheckFile(b *testing.B) {
	for _, records := range []int{10, 1000, 10_000} {
		home := b.TempDir()
		file := registry.StoreFileOf(b, home, records, strings.Repeat("v", 400))
		b.Run(strconv.Itoa(records), func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				if err := registry.CheckFile(home, file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A call that looks one key up.
func BenchmarkKVGet(b *testing.B) {
	r := registrytest.Open(b)
	in := keeper(b, r, local, "notes", nil)
	keep(b, opened(b, r, local, in, "caller"), set("k", "value"))
	for b.Loop() {
		if _, err := opened(b, r, local, in, "caller").Get(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

// A call that reads a key and keeps another value under it.
func BenchmarkKVCommit(b *testing.B) {
	r := registrytest.Open(b)
	in := keeper(b, r, local, "notes", nil)
	for i := 0; b.Loop(); i++ {
		kv := opened(b, r, local, in, "caller")
		if _, err := kv.Get(b.Context(), "k"); err != nil && i > 0 {
			b.Fatal(err)
		}
		keep(b, kv, set("k", strconv.Itoa(i)))
	}
}

// A page of a thousand keys with their values.
func BenchmarkKVList(b *testing.B) {
	r := registrytest.Open(b)
	in := keeper(b, r, local, "notes", nil)
	var all []registry.KVChange
	for i := range 1000 {
		all = append(all, set("entity/"+strconv.Itoa(i), strings.Repeat("x", 200)))
	}
	if err := opened(b, r, local, in, "caller").Commit(b.Context(), all, 1<<20); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if page, err := opened(b, r, local, in, "caller").List(b.Context(), "entity/", "", 1000, 1<<20, true); err != nil || len(page.Entries) != 1000 {
			b.Fatal(len(page.Entries), err)
		}
	}
}
