package attack_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/writ-run/writ/testdata/hostile/attack"
)

// What is not stopped is a hit, and so is a panic, in a variant or around one.
func TestHits(t *testing.T) {
	row := attack.Row{ID: "Z1", Run: func(r *attack.Report) {
		r.Variant("stopped", func() error { return nil })
		r.Variant("not stopped", func() error { return errors.New("it got through") })
		r.Variant("not survived", func() error { panic("crash") })
		r.Skip("not here", "another system")
		panic("outside")
	}}
	got := row.Try(false)
	want := []string{"not stopped: it got through", "not survived: the host panicked: crash", "the host panicked: outside"}
	if got.Variants != 3 || !slices.Equal(got.Hits, want) || !slices.Equal(got.Skips, []string{"not here: another system"}) {
		t.Errorf("got %+v", got)
	}
	if got := row.Fill(attack.Report{First: true}); got.Variants != 2 || got.Hits[0] != want[0] {
		t.Errorf("up to the first hit: %+v", got)
	}
}

// A row about what does not exist yet is a skip that everybody sees.
func TestMissing(t *testing.T) {
	got := attack.Row{ID: "Z2", Missing: "no such feature yet"}.Try(true)
	if got.Variants != 0 || len(got.Hits) != 0 || !slices.Equal(got.Skips, []string{"all: no such feature yet"}) {
		t.Errorf("got %+v", got)
	}
}
