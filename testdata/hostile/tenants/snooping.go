package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var snooping = attack.Row{
	ID:      "L148",
	Title:   "asking for another space's tools, values, records and presence, and putting something there",
	Mutants: []string{"records-by-space", "audit-by-space", "lists-by-space", "install-own-space", "front-endpoint"},
	Run: func(r *attack.Report) {
		h, err := target.NewHome(host.Config{})
		if err == nil {
			_, err = h.Install(mine, "mine-tool", target.Saying("LOOT"), configured("acme/loot"))
		}
		if err == nil {
			err = h.Registry.SetConfig(context.Background(), target.Client(mine), "mine-tool", "KEY", "LOOT")
		}
		var call string
		if err == nil {
			var a host.Answer
			a, err = h.Host.CallTool(context.Background(), target.Client(mine), host.Request{Tool: "mine-tool_go"})
			call = a.Call
		}
		if err != nil {
			r.Variant("installing", func() error { return err })
			return
		}
		if tools, err := h.Host.Tools(context.Background(), target.Client(mine)); err != nil || len(tools) != 1 {
			r.Variant("the control", func() error { return fmt.Errorf("tools %v, %v", tools, err) })
		}
		for name, try := range questions(h, call) {
			r.Variant(name, func() error { return learnsNothing(try) })
		}
		r.Variant("another name for what is there and what is not", func() error { return samePresence(h) })
		r.Variant("installing into another space", func() error { return intruding(h) })
		overHTTP(r, h)
		r.Skip("the time that an install takes", "a residual risk: files of equal content are kept once (SECURITY.md, side channels)")
	},
}

// questions ask about the space mine as a caller of the space yours.
func questions(h *target.Home, call string) map[string]func() (any, error) {
	ctx, by := context.Background(), target.Client(yours)
	return map[string]func() (any, error){
		"tools":           func() (any, error) { return h.Host.Tools(ctx, by) },
		"a call":          func() (any, error) { return h.Host.CallTool(ctx, by, host.Request{Tool: "mine-tool_go"}) },
		"a look":          func() (any, error) { return h.Registry.Lookup(ctx, by, "mine-tool") },
		"all servlets":    func() (any, error) { return h.Registry.List(ctx, by) },
		"values":          func() (any, error) { return h.Registry.Config(ctx, by, "mine-tool") },
		"all records":     func() (any, error) { return h.Registry.Audit(ctx, by, registry.Filter{}) },
		"a call's record": func() (any, error) { return h.Registry.Audit(ctx, by, registry.Filter{Call: call}) },
		"an alias's":      func() (any, error) { return h.Registry.Audit(ctx, by, registry.Filter{Alias: "mine-tool"}) },
		"removing":        func() (any, error) { return nil, h.Registry.Remove(ctx, by, "mine-tool", true) },
		"granting": func() (any, error) {
			return h.Registry.SetGrant(ctx, by, "mine-tool", 1, registry.Installation{}.Grant, true)
		},
		"setting": func() (any, error) { return nil, h.Registry.SetConfig(ctx, by, "mine-tool", "KEY", "x") },
		"tools, after the other's list was made": func() (any, error) {
			if _, err := h.Host.Tools(ctx, target.Client(mine)); err != nil {
				return nil, err
			}
			return h.Host.Tools(ctx, by)
		},
	}
}

// learnsNothing wants no trace of the other space in an answer, and in an error nothing but that there is no such thing.
func learnsNothing(ask func() (any, error)) error {
	got, err := ask()
	switch {
	case err != nil && !errors.Is(err, registry.ErrNotFound) && !errors.Is(err, host.ErrUnknownTool):
		return fmt.Errorf("refused with %w", err)
	case err != nil:
		return nil
	}
	text, err := json.Marshal(got)
	if err != nil || string(text) != "[]" && string(text) != "null" {
		return fmt.Errorf("learnt %.300s, %v", text, err)
	}
	return nil
}

// samePresence asks for what another space has and for what nobody has: the words are the same.
func samePresence(h *target.Home) error {
	ctx, by := context.Background(), target.Client(yours)
	_, there := h.Host.CallTool(ctx, by, host.Request{Tool: "mine-tool_go"})
	_, nowhere := h.Host.CallTool(ctx, by, host.Request{Tool: "nobody-tool_go"})
	if there == nil || nowhere == nil || strings.ReplaceAll(there.Error(), "mine", "nobody") != nowhere.Error() {
		return fmt.Errorf("told %v, and %v of what is nowhere", there, nowhere)
	}
	return nil
}

// intruding installs as a caller of one space into another.
func intruding(h *target.Home) error {
	in, err := h.Registry.Lookup(context.Background(), target.Client(mine), "mine-tool")
	if err != nil {
		return err
	}
	file, err := h.Registry.Blob(context.Background(), in.Digest)
	if err != nil {
		return err
	}
	in.Alias = "intruder"
	_, err = h.Registry.Install(context.Background(), target.Client(yours), in, file)
	if want := `installing: into space "mine" as a caller of space "yours" is not allowed`; err == nil || err.Error() != want {
		return fmt.Errorf("%v; want %s", err, want)
	}
	return nil
}

// overHTTP asks the server of one space about the other.
func overHTTP(r *attack.Report, h *target.Home) {
	if _, err := h.Install(yours, "your-tool", target.Saying("yours"), target.Manifest("acme/yours")); err != nil {
		r.Variant("installing", func() error { return err })
		return
	}
	s, err := target.Serve(h.Host)
	if err != nil {
		r.Variant("a server", func() error { return err })
		return
	}
	r.Variant("the control: the space's own list", func() error {
		_, list, err := s.Do(target.Ask{Space: mine, Method: "tools/list"})
		if err == nil && !strings.Contains(list, "mine-tool_go") {
			err = fmt.Errorf("%.300s", list)
		}
		return err
	})
	r.Variant("the list of another space's server", func() error {
		_, list, err := s.Do(target.Ask{Space: yours, Method: "tools/list"})
		if err == nil && (strings.Contains(list, "mine-tool") || !strings.Contains(list, "your-tool_go") || !strings.Contains(list, `"private"`)) {
			err = fmt.Errorf("%.300s", list)
		}
		return err
	})
	r.Variant("a call at another space's server", func() error {
		text, err := s.Text(target.Ask{Space: yours, Name: "mine-tool_go"})
		if err == nil || strings.Contains(err.Error(), "LOOT") || !strings.HasPrefix(err.Error(), "unknown tool") {
			err = fmt.Errorf("answered %q, %w", text, err)
			return err
		}
		return nil
	})
	r.Variant("a space without servlets", func() error {
		status, answer, err := s.Do(target.Ask{Space: "nobody", Method: "tools/list"})
		if err == nil && status != 404 {
			err = fmt.Errorf("status %d: %.300s", status, answer)
		}
		return err
	})
	r.Variant("the server lives", s.Stop)
}
