package tenants

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var keeping = attack.Row{
	ID:    "L151",
	Title: "what another caller, space, name or publisher keeps; more than the quota; a write that was not granted, failed, or undoes another's",
	Mutants: []string{
		"kv-of-the-caller", "kv-of-the-space", "kv-of-the-publisher", "kv-of-the-alias", "kv-quota-asked", "kv-quota-kept", "kv-conflict",
		"kv-success-only", "kv-right-to-read", "kv-grant-stands",
	},
	Run: func(r *attack.Report) {
		h, err := target.NewHome(host.Config{})
		if err == nil {
			err = kept(h)
		}
		if err != nil {
			r.Variant("a home", func() error { return err })
			return
		}
		r.Variant("the control: its own", func() error { return h.Want(mine, "own_go", "{}", host.StatusOK, "LOOT") })
		r.Variant("by the same servlet in another space", func() error {
			return errors.Join(installKeeper(h, yours, "own", target.Recalling("K"), "acme/own"), h.Want(yours, "own_go", "{}", host.StatusOK, "unset"))
		})
		r.Variant("by another caller of the space", func() error { return callerLearnsNothing(h) })
		r.Variant("by another servlet", func() error {
			return errors.Join(installKeeper(h, mine, "other", target.Recalling("K"), "acme/other"), h.Want(mine, "other_go", "{}", host.StatusOK, "unset"))
		})
		for i, key := range lootKeys {
			r.Variant(fmt.Sprintf("by the key %.40q", key), func() error {
				alias := fmt.Sprintf("key-%d", i)
				return errors.Join(installKeeper(h, mine, alias, target.Recalling(key), "acme/"+alias), h.Want(mine, alias+"_go", "{}", host.StatusOK, "unset"))
			})
		}
		for name, change := range disguises {
			r.Variant("as "+name, func() error { return disguisedInVain(h, change) })
		}
		r.Variant("more than the quota", func() error {
			return errors.Join(installKeeper(h, mine, "large", target.Noting("K", strings.Repeat("x", 1024)), "acme/large"), h.Want(mine, "large_go", "{}", host.StatusOK, "refused"))
		})
		r.Variant("more than the quota, when it is kept", func() error { return overQuota(h) })
		r.Variant("with the right to read", func() error {
			_, err := h.Install(mine, "reads", target.Noting("K", "x"), target.Keep("acme/reads", capabilities.ScopeCaller, "kv:ro", 1))
			return errors.Join(err, h.Want(mine, "reads_go", "{}", host.StatusOK, "refused"))
		})
		r.Variant("by a call that failed", func() error { return keepsNothing(h) })
		r.Variant("over what another call kept meanwhile", func() error { return undoes(h) })
		r.Variant("after the grant was taken back", func() error { return outlives(h) })
	},
}

// lootKeys are keys that could be read as another's, were a key a path, a prefix or a part of one.
var lootKeys = []string{
	"../own/K", "mine\x00local\x00own\x00acme/own\x00K", "\x00K", "own\x00K", "space:mine/own/K", "K\x00", "k", "*", "", "../../K", "K/", strings.Repeat("K", 513),
}

func installKeeper(h *target.Home, space, alias string, module []byte, name string) error {
	_, err := h.Install(space, alias, module, target.Keep(name, capabilities.ScopeCaller, "kv", 1))
	return err
}

// kept lets a servlet of mine keep LOOT, and puts one of the same name and publisher in its place that reads it.
func kept(h *target.Home) error {
	if err := installKeeper(h, mine, "own", target.Noting("K", "LOOT"), "acme/own"); err != nil {
		return err
	}
	return errors.Join(h.Want(mine, "own_go", "{}", host.StatusOK, "kept"),
		h.Registry.Remove(context.Background(), target.Client(mine), "own", false),
		installKeeper(h, mine, "own", target.Recalling("K"), "acme/own"))
}

func callerLearnsNothing(h *target.Home) error {
	by := target.Client(mine)
	by.Principal, by.Roles = "key:1", []string{capabilities.RoleUser}
	a, err := h.Host.CallTool(context.Background(), by, host.Request{Tool: "own_go"})
	if err == nil && (a.Status != host.StatusOK || strings.Contains(string(a.Result), "LOOT") || !strings.Contains(string(a.Result), "unset")) {
		err = fmt.Errorf("%s: %.300s", a.Status, a.Result)
	}
	return err
}

// disguises are what is looked for in the place of what keeps LOOT.
var disguises = map[string]func(*registry.Installation){
	"another publisher's": func(in *registry.Installation) { in.Publisher = strings.Repeat("b", 64) },
	"another name":        func(in *registry.Installation) { in.Name = "acme/other" },
	"another alias":       func(in *registry.Installation) { in.Alias = "other" },
}

func disguisedInVain(h *target.Home, change func(*registry.Installation)) error {
	in, err := h.Registry.Lookup(context.Background(), target.Client(mine), "own")
	if err != nil {
		return err
	}
	change(&in)
	kv, err := h.Registry.KV(target.Client(mine), in, in.Grant.Rights)
	if err != nil {
		return err
	}
	if value, err := kv.Get(context.Background(), "K"); !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%q, %v", value, err)
	}
	return nil
}

// notes is what a servlet keeps that is installed for it.
func notes(h *target.Home, alias string) (func() *registry.KV, error) {
	if err := installKeeper(h, mine, alias, target.Recalling("K"), "acme/"+alias); err != nil {
		return nil, err
	}
	in, err := h.Registry.Lookup(context.Background(), target.Client(mine), alias)
	return func() *registry.KV {
		kv, err := h.Registry.KV(target.Client(mine), in, in.Grant.Rights)
		if err != nil {
			panic(err)
		}
		return kv
	}, err
}

func overQuota(h *target.Home) error {
	open, err := notes(h, "fills")
	if err != nil {
		return err
	}
	err = open().Commit(context.Background(), []registry.KVChange{{Key: "a", Value: make([]byte, 600)}, {Key: "b", Value: make([]byte, 600)}}, 1024)
	if !errors.Is(err, registry.ErrKVQuota) {
		return fmt.Errorf("%v; want %v", err, registry.ErrKVQuota)
	}
	return h.Want(mine, "fills_go", "{}", host.StatusOK, "unset")
}

func keepsNothing(h *target.Home) error {
	if err := installKeeper(h, mine, "regrets", target.Regretting("K", "x"), "acme/regrets"); err != nil {
		return err
	}
	return errors.Join(h.Want(mine, "regrets_go", "{}", host.StatusTool, "kept"),
		h.Registry.Remove(context.Background(), target.Client(mine), "regrets", false),
		installKeeper(h, mine, "regrets", target.Recalling("K"), "acme/regrets"),
		h.Want(mine, "regrets_go", "{}", host.StatusOK, "unset"))
}

// undoes reads, lets another write, and writes what rests on what was read.
func undoes(h *target.Home) error {
	open, err := notes(h, "undone")
	if err != nil {
		return err
	}
	ctx, first := context.Background(), open()
	if _, err := first.Get(ctx, "K"); !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("reading: %v", err)
	}
	if err := open().Commit(ctx, []registry.KVChange{{Key: "K", Value: []byte("second")}}, 1024); err != nil {
		return err
	}
	if err := first.Commit(ctx, []registry.KVChange{{Key: "K", Value: []byte("first")}}, 1024); !errors.Is(err, registry.ErrConflict) {
		return fmt.Errorf("%v; want %v", err, registry.ErrConflict)
	}
	return h.Want(mine, "undone_go", "{}", host.StatusOK, "second")
}

// outlives commits for a servlet that was removed and purged meanwhile.
func outlives(h *target.Home) error {
	open, err := notes(h, "gone")
	if err != nil {
		return err
	}
	kv := open()
	if err := h.Registry.Remove(context.Background(), target.Client(mine), "gone", true); err != nil {
		return err
	}
	if err := kv.Commit(context.Background(), []registry.KVChange{{Key: "K", Value: []byte("x")}}, 1024); !errors.Is(err, registry.ErrKVWithdrew) {
		return fmt.Errorf("%v; want %v", err, registry.ErrKVWithdrew)
	}
	return nil
}
