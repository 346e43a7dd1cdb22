package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// Whose data is meant without a word is what the grant says. Where two may be meant, one has to be named.
func TestWhoseDataIsMeant(t *testing.T) {
	ctx := t.Context()
	reg := registrytest.Open(t)
	a := &app{space: capabilities.DefaultSpace}
	file := []byte("a servlet")
	in := registrytest.Installation("notes", file)
	in, err := reg.Install(ctx, a.caller(), in, file)
	if err != nil {
		t.Fatal(err)
	}
	scoped := func(scope string) {
		t.Helper()
		g := in.Grant
		g.Rights.KV = &capabilities.KVRight{QuotaKB: 1, Scope: scope}
		if in, err = reg.SetGrant(ctx, a.caller(), "notes", in.Revision, g, false); err != nil {
			t.Fatal(err)
		}
	}
	means := func(caller, want string) {
		t.Helper()
		of, err := a.keptOf(ctx, reg, "notes", caller)
		if err != nil || whose(of) != want {
			t.Errorf("--caller %q means that of %q, %v; want %q", caller, whose(of), err, want)
		}
	}
	for _, scope := range []string{capabilities.ScopeSpace, capabilities.ScopeCaller} {
		scoped(scope)
		kv, err := reg.KV(a.caller(), in, in.Grant.Rights)
		if err == nil {
			err = kv.Commit(ctx, []registry.KVChange{{Key: scope}}, 1<<10)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	means("", "local")
	scoped(capabilities.ScopeSpace)
	means("", "whole space")
	means("local", "local")
	if err := reg.Remove(ctx, a.caller(), "notes", false); err != nil {
		t.Fatal(err)
	}
	means("local", "local")
	means("whole space", "whole space")
	if _, err := a.keptOf(ctx, reg, "notes", ""); err == nil || !strings.Contains(err.Error(), `"local"`) || !strings.Contains(err.Error(), `"whole space"`) {
		t.Errorf("of two: %v", err)
	}
	if _, err := a.keptOf(ctx, reg, "notes", "key:1"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("of a stranger: %v", err)
	}
}
