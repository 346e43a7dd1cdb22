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
