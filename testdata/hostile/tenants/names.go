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

var names = attack.Row{
	ID:    "L144",
	Title: "names that lead into another's state: ../, null bytes, another's prefix, another's keys",
	Mutants: []string{
		"names-control", "names-alias", "names-space", "records-by-space", "config-owner",
	},
	Run: func(r *attack.Report) {
		h, err := target.NewHome(host.Config{})
		if err != nil {
			r.Variant("a home", func() error { return err })
			return
		}
		for _, space := range []string{mine, yours} {
			m := configured("acme/same")
			_, err = h.Install(space, "same", target.Telling("KEY"), m)
			if err == nil {
				err = h.Registry.SetConfig(context.Background(), target.Client(space), "same", "KEY", "SECRET of "+space)
			}
			if err != nil {
				r.Variant("installing", func() error { return err })
				return
			}
		}
		for _, space := range []string{mine, yours} {
			r.Variant("one alias in two spaces: "+space, func() error {
				return h.Want(space, "same_go", "{}", host.StatusOK, "SECRET of "+space)
			})
		}
		for name, by := range strangers {
			for verb, try := range operations {
				r.Variant(verb+" "+name, func() error { return refusedCaller(h, try, by) })
			}
		}
		for _, alias := range aliases {
			r.Variant(fmt.Sprintf("the alias %q", alias), func() error { return refusedAlias(h, alias) })
		}
		for _, key := range keys {
			r.Variant(fmt.Sprintf("the key %.40q", key), func() error { return askKey(h, r.Variants, key) })
		}
		r.Variant("the values of the servlet that was there before", func() error { return inherited(h) })
		paths(r, h)
	},
}

// configured is a manifest that declares KEY.
func configured(name string) capabilities.Manifest {
	m := target.Manifest(name)
	m.Capabilities.Config = []capabilities.Config{{Key: "KEY"}}
	m.Uses["go"] = []string{"config:KEY"}
	return m
}

// strangers are callers that nobody is, with what a registry has to say to them.
var strangers = map[string]struct {
	by   capabilities.Caller
	want string
}{
	"as nobody":                      {capabilities.Caller{Space: mine}, "caller has no name or no space"},
	"in no space":                    {capabilities.Caller{Principal: "local"}, "caller has no name or no space"},
	"in a space with a null byte":    {capabilities.Caller{Principal: "local", Space: mine + "\x00same"}, `space "mine\x00same" has a control character`},
	"in a space with a line break":   {capabilities.Caller{Principal: "local", Space: mine + "\n"}, `space "mine\n" has a control character`},
	"in a space of 65 letters":       {capabilities.Caller{Principal: "local", Space: strings.Repeat("x", 65)}, "space is longer than 64 bytes"},
	"in a space that is no text":     {capabilities.Caller{Principal: "local", Space: "\xff"}, "space is not UTF-8"},
	"as a principal with a null":     {capabilities.Caller{Principal: "local\x00", Space: mine}, `principal "local\x00" has a control character`},
	"as a principal of 257 letters":  {capabilities.Caller{Principal: strings.Repeat("x", 257), Space: mine}, "principal is longer than 256 bytes"},
	"as a principal that is no text": {capabilities.Caller{Principal: "\xc3", Space: mine}, "principal is not UTF-8"},
}

// operations are all that a caller can do with a registry.
var operations = map[string]func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error{
	"looking up": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		_, err := r.Lookup(ctx, by, "same")
		return err
	},
	"listing": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		_, err := r.List(ctx, by)
		return err
	},
	"reading values": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		_, err := r.Config(ctx, by, "same")
		return err
	},
	"setting a value": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		return r.SetConfig(ctx, by, "same", "KEY", "overwritten")
	},
	"granting": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		_, err := r.SetGrant(ctx, by, "same", 1, capabilities.Grant{}, false)
		return err
	},
	"removing": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		return r.Remove(ctx, by, "same", true)
	},
	"auditing": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		_, err := r.Audit(ctx, by, registry.Filter{})
		return err
	},
	"recording": func(ctx context.Context, r *registry.Registry, by capabilities.Caller) error {
		return r.Record(ctx, registry.Entry{Event: "call", Principal: by.Principal, Space: by.Space}, false)
	},
}

func refusedCaller(h *target.Home, try func(context.Context, *registry.Registry, capabilities.Caller) error, c struct {
	by   capabilities.Caller
	want string
}) error {
	err := try(context.Background(), h.Registry, c.by)
	if err == nil || !strings.HasSuffix(err.Error(), c.want) {
		return fmt.Errorf("%v; want %s", err, c.want)
	}
	return nil
}

// aliases could be read as another's, or as a way out of one's own.
var aliases = []string{
	"", "same_go", "same\x00", "../same", "..", ".", "a/b", `a\b`, "Same", "same ", " same", "-same", "s\u0430me", "same\n", "yours/same",
	"abcdefghijklmnopqrstuvwxy", "same\x1b[2J", "*",
}

func refusedAlias(h *target.Home, alias string) error {
	_, err := h.Install(mine, alias, target.Saying("x"), target.Manifest("acme/other"))
	if !errors.Is(err, registry.ErrName) {
		return fmt.Errorf("installing: %v", err)
	}
	if err := h.Registry.SetConfig(context.Background(), target.Client(mine), alias, "KEY", "x"); !errors.Is(err, registry.ErrName) {
		return fmt.Errorf("setting a value: %v", err)
	}
	return nil
}

// keys are what a servlet asks for that only declared KEY, which is not set.
var keys = []string{
	"SECRET", "key", "KEY\x00", "KEY ", "../KEY", "same/KEY", "mine/same/KEY", "yours\x00same\x00KEY", "KEY=", "K\u0415Y", "KEYS", "KE", "\xff",
	"{KEY}", "*", "%4bEY", strings.Repeat("K", 256),
}

// askKey installs a servlet that asks for a key, where everything that the key could mean is set.
func askKey(h *target.Home, n int, key string) error {
	alias := fmt.Sprintf("asks-%d", n)
	if _, err := h.Install(mine, alias, target.Telling(key), configured("acme/"+alias)); err != nil {
		return err
	}
	for _, set := range []string{"SECRET", "KEYS", "KE", "key"} {
		if err := h.Registry.SetConfig(context.Background(), target.Client(mine), alias, set, "LOOT"); err != nil {
			return err
		}
	}
	return h.Want(mine, alias+"_go", "{}", host.StatusOK, "unset")
}

// inherited installs another servlet under an alias that had values.
func inherited(h *target.Home) error {
	ctx, by := context.Background(), target.Client(mine)
	if _, err := h.Install(mine, "heir", target.Telling("KEY"), configured("acme/first")); err != nil {
		return err
	}
	if err := h.Registry.SetConfig(ctx, by, "heir", "KEY", "LOOT"); err != nil {
		return err
	}
	if err := h.Registry.Remove(ctx, by, "heir", false); err != nil {
		return err
	}
	if _, err := h.Install(mine, "heir", target.Telling("KEY"), configured("acme/second")); err != nil {
		return err
	}
	return h.Want(mine, "heir_go", "{}", host.StatusOK, "unset")
}

// paths are addresses of endpoints that are none.
func paths(r *attack.Report, h *target.Home) {
	s, err := target.Serve(h.Host)
	if err != nil {
		r.Variant("a server", func() error { return err })
		return
	}
	for _, space := range []string{
		"..", "%2e%2e", "mine%2f..%2fyours", "mine%00", "mine%0a", "MINE", "mine%20", "mine/../yours", "%6dine/x", strings.Repeat("m", 33), "*", "mine;yours", "m%C3%AFne",
	} {
		r.Variant("/s/"+space+"/mcp", func() error {
			status, answer, err := s.Do(target.Ask{Space: space, Method: "tools/list"})
			if err == nil && (status != 404 || strings.Contains(answer, "same_go")) {
				err = fmt.Errorf("status %d: %.200s", status, answer)
			}
			return err
		})
	}
	r.Variant("the server lives", s.Stop)
}
