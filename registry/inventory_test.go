package registry_test

import (
	"slices"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func TestSpacesAndLastCalls(t *testing.T) {
	r := registrytest.Open(t)
	if spaces := must(r.Spaces(t.Context(), local)); len(spaces) != 0 {
		t.Errorf("spaces of a new home: %q", spaces)
	}
	install(t, r, "notes")
	work := capabilities.Local("work")
	in := registrytest.Installation("notes", fileOf("notes"))
	in.Space = "work"
	if _, err := r.Install(t.Context(), work, in, fileOf("notes")); err != nil {
		t.Fatal(err)
	}
	if spaces := must(r.Spaces(t.Context(), local)); !slices.Equal(spaces, []string{"default", "work"}) {
		t.Errorf("spaces %q", spaces)
	}

	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	note := func(by capabilities.Caller, event string, when time.Time) {
		t.Helper()
		// A detail that looks like another event is none.
		e := registry.Entry{Time: when, Event: event, Principal: by.Principal, Space: by.Space, Alias: "notes", Detail: []byte(`{"x":"\"event\":\"call\""}`)}
		if err := r.Record(t.Context(), e, true); err != nil {
			t.Fatal(err)
		}
	}
	note(local, "call", at)
	note(local, "call", at.Add(-time.Hour))
	note(local, "effect", at.Add(time.Hour))
	last := must(r.LastCalls(t.Context(), local))
	if want := (registry.Alias{Space: "default", Alias: "notes"}); len(last) != 1 || !last[want].Equal(at) {
		t.Errorf("last calls %v, want one at %v", last, at)
	}
	note(work, "call", at.Add(time.Minute))
	other := registrytest.OpenHome(t, r.Home(), nil) // what one process wrote, another tells
	if last := must(other.LastCalls(t.Context(), local)); len(last) != 2 || !last[registry.Alias{Space: "work", Alias: "notes"}].Equal(at.Add(time.Minute)) {
		t.Errorf("last calls %v", last)
	}

	for _, by := range []capabilities.Caller{{Principal: "key:x", Space: "default", Roles: []string{capabilities.RoleUser}}, {Principal: "key:x", Space: "default"}} {
		_, err := r.Spaces(t.Context(), by)
		wantError(t, err, registry.ErrOperator)
		_, err = r.LastCalls(t.Context(), by)
		wantError(t, err, registry.ErrOperator)
		wantError(t, r.ForgetSecretKey(t.Context(), by), registry.ErrOperator)
	}
	_, err := r.Spaces(t.Context(), capabilities.Caller{})
	wantError(t, err, registry.ErrCaller)
}
