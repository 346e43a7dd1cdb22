package toolchain

import (
	"slices"
	"testing"
)

func TestSourceMap(t *testing.T) {
	m, err := parseSourceMap([]byte(`{"version":3,"sources":["a.ts","b.ts"],"mappings":"AAAA,IAAC;;CCCD,GADA,C"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []place{{1, 1, 0, 1, 1}, {1, 5, 0, 1, 2}, {3, 2, 1, 2, 1}, {3, 5, 1, 1, 1}}
	if !slices.Equal(m.rows, want) {
		t.Errorf("got %v, want %v", m.rows, want)
	}
	for _, row := range []struct {
		line, column int
		want         place
		ok           bool
	}{{1, 1, want[0], true}, {1, 4, want[0], true}, {1, 5, want[1], true}, {2, 1, place{}, false}, {3, 1, place{}, false}, {3, 99, want[3], true}, {4, 1, place{}, false}} {
		if got, ok := m.find(row.line, row.column); got != row.want || ok != row.ok {
			t.Errorf("%d:%d: got %v %v, want %v", row.line, row.column, got, ok, row.want)
		}
	}
}

// Packages bring source maps of their own, which end up in a bundle's.
func FuzzSourceMap(f *testing.F) {
	f.Add([]byte(`{"version":3,"sources":["a.ts"],"mappings":"AAAA;;gBCCD,A,AAgggggggggB"}`))
	f.Add([]byte(`{"sources":[],"mappings":"AAAA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseSourceMap(raw)
		if err != nil {
			return
		}
		for _, r := range m.rows {
			if r.file < 0 || r.file >= len(m.files) {
				t.Fatalf("%v is of no file", r)
			}
		}
		m.find(1, 1)
	})
}
