package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

func (a *app) kvVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "kv", Args: takes,
		Short: "See and mend what servlets keep between calls",
		Long: `See and mend what servlets keep between calls.

A servlet that was given "kv" keeps values under keys, apart for each caller or
for the whole space. Without --caller these verbs show what is kept for you, or
for the space. Keys and values are a servlet's own words: nothing here believes
them.`,
		Example: "  writ kv list\n  writ kv list memory",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.kvListVerb(), a.kvGetVerb(), a.kvExportVerb(), a.kvRmVerb())
	return cmd
}

// callerFlag chooses whose data is meant.
func callerFlag(cmd *cobra.Command, caller *string) {
	cmd.Flags().StringVar(caller, "caller", "", "who it is kept for, as `writ kv list` names them (default: you, or the whole space)")
}

func (a *app) kvListVerb() *cobra.Command {
	var caller, prefix string
	cmd := &cobra.Command{
		Use: "list [ALIAS]", Args: takes,
		Short:   "List what is kept of every servlet, or the keys of one",
		Example: "  writ kv list\n  writ kv list memory --prefix entity/",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				if len(args) == 0 {
					if caller != "" || prefix != "" {
						return usagef("--caller and --prefix are for the keys of one servlet: name it")
					}
					return a.listKept(cmd.Context(), reg)
				}
				of, err := a.keptOf(cmd.Context(), reg, args[0], caller)
				if err != nil {
					return err
				}
				return a.listKeys(cmd.Context(), reg, of, prefix)
			})
		},
	}
	callerFlag(cmd, &caller)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that start with it")
	return cmd
}

// whose says who something is kept for.
func whose(k registry.Kept) string {
	if k.Principal == "" {
		return "whole space"
	}
	return k.Principal
}

// listKept lists every store of the space, those of servlets that are gone too.
func (a *app) listKept(ctx context.Context, reg *registry.Registry) error {
	all, err := reg.Kept(ctx, a.caller())
	if err != nil {
		return err
	}
	installed, err := reg.List(ctx, a.caller())
	if err != nil {
		return err
	}
	type row struct {
		registry.Kept
		Installed bool `json:"installed"`
	}
	rows, lines := []row{}, [][]string{}
	for _, k := range all {
		here := slices.ContainsFunc(installed, k.BelongsTo)
		rows = append(rows, row{k, here})
		state := "installed"
		if !here {
			state = "left behind"
		}
		lines = append(lines, []string{k.Alias, k.Name, signedBy(k.Publisher), whose(k), strconv.Itoa(k.Keys), strconv.FormatInt(k.Bytes, 10), k.Changed.Local().Format("2006-01-02 15:04"), state})
	}
	switch {
	case a.json:
		return a.printJSON(map[string]any{"kept": rows})
	case len(rows) == 0:
		a.say("no servlet keeps anything")
		return nil
	}
	return a.printTable("ALIAS NAME SIGNED-BY FOR KEYS BYTES CHANGED SERVLET", lines)
}

func (a *app) listKeys(ctx context.Context, reg *registry.Registry, of registry.Kept, prefix string) error {
	type row struct {
		Key   string `json:"key"`
		Bytes int    `json:"bytes"`
	}
	rows, lines := []row{}, [][]string{}
	err := reg.KeptEntries(ctx, a.caller(), of, prefix, true, func(e registry.KVEntry) error {
		rows = append(rows, row{e.Key, len(e.Value)})
		lines = append(lines, []string{strconv.Itoa(len(e.Value)), e.Key})
		return nil
	})
	switch {
	case err != nil:
		return err
	case a.json:
		return a.printJSON(map[string]any{"alias": of.Alias, "for": whose(of), "keys": rows})
	case len(rows) == 0:
		a.say("%s keeps no key that starts with %q for %s", of.Alias, prefix, whose(of))
		return nil
	}
	return a.printTable("BYTES KEY", lines)
}

func (a *app) kvGetVerb() *cobra.Command {
	var caller string
	var raw bool
	cmd := &cobra.Command{
		Use: "get ALIAS KEY", Args: takes,
		Short:   "Print the value of a key",
		Example: "  writ kv get memory entity/Ana\n  writ kv get memory entity/Ana --raw > ana.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if raw && a.json {
				return usagef("--raw and --json are two forms: choose one")
			}
			if out, ok := a.stdout.(interface{ Fd() uintptr }); raw && ok && term.IsTerminal(int(out.Fd())) {
				return usagef("--raw writes a servlet's bytes as they are, which a terminal obeys: write them to a file or a program")
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				of, err := a.keptOf(cmd.Context(), reg, args[0], caller)
				if err != nil {
					return err
				}
				value, err := reg.KeptValue(cmd.Context(), a.caller(), of, args[1])
				if err != nil {
					return fmt.Errorf("key %+.80q of %s for %s: %w", args[1], of.Alias, whose(of), err)
				}
				switch {
				case raw:
					_, err = a.stdout.Write(value)
				case a.json:
					err = a.printJSON(exported(registry.KVEntry{Key: args[1], Value: value}))
				default:
					_, err = fmt.Fprintln(a.stdout, capabilities.Printable(string(value), utf8.RuneCount(value)*10+1))
				}
				return err
			})
		},
	}
	callerFlag(cmd, &caller)
	cmd.Flags().BoolVar(&raw, "raw", false, "write the bytes as they are, to a file or a program")
	return cmd
}

// entry is a key and its value in JSON: as text when it is some, else in base64.
type entry struct {
	Key    string  `json:"key"`
	Value  *string `json:"value,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

func exported(e registry.KVEntry) entry {
	if utf8.Valid(e.Value) {
		text := string(e.Value)
		return entry{Key: e.Key, Value: &text}
	}
	return entry{Key: e.Key, Base64: e.Value}
}

func (a *app) kvExportVerb() *cobra.Command {
	var caller, prefix string
	cmd := &cobra.Command{
		Use: "export ALIAS", Args: takes,
		Short:   "Print all keys and values, a line of JSON for each",
		Example: "  writ kv export memory > memory.jsonl\n  writ kv export memory --prefix entity/",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				of, err := a.keptOf(cmd.Context(), reg, args[0], caller)
				if err != nil {
					return err
				}
				return reg.KeptEntries(cmd.Context(), a.caller(), of, prefix, true, func(e registry.KVEntry) error {
					var line bytes.Buffer
					enc := json.NewEncoder(&line)
					enc.SetEscapeHTML(false)
					if err := enc.Encode(exported(e)); err != nil {
						return err
					}
					_, err := a.stdout.Write(capabilities.PrintableJSON(line.Bytes()))
					return err
				})
			})
		},
	}
	callerFlag(cmd, &caller)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that start with it")
	return cmd
}

func (a *app) kvRmVerb() *cobra.Command {
	var caller, prefix string
	var all bool
	cmd := &cobra.Command{
		Use: "rm ALIAS [KEY]", Args: takes,
		Short:   "Remove a key, those that start with something, or all",
		Example: "  writ kv rm memory entity/Ana\n  writ kv rm memory --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			ways := len(args) - 1
			for _, set := range []bool{prefix != "", all} {
				if set {
					ways++
				}
			}
			if ways != 1 {
				return usagef("name one of KEY, --prefix and --all: what is removed is gone")
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				of, err := a.keptOf(cmd.Context(), reg, args[0], caller)
				if err != nil {
					return err
				}
				what := prefix
				if len(args) == 2 {
					what = args[1]
				}
				n, err := reg.DropKept(cmd.Context(), a.caller(), of, what, len(args) == 2)
				if err != nil {
					return err
				}
				if n == 0 && !all {
					return fmt.Errorf("key %+.80q of %s for %s: %w", what, of.Alias, whose(of), registry.ErrNotFound)
				}
				return a.done(map[string]string{"alias": of.Alias, "for": whose(of), "removed": strconv.Itoa(n)},
					"removed %s that %s kept for %s", counted(n, "key"), of.Alias, whose(of))
			})
		},
	}
	callerFlag(cmd, &caller)
	cmd.Flags().StringVar(&prefix, "prefix", "", "all keys that start with it")
	cmd.Flags().BoolVar(&all, "all", false, "all keys")
	return cmd
}

// keptOf finds what a servlet keeps for one owner: the caller that was named; else the one that its grant says,
// the whole space or the person at this terminal. A servlet that is not installed any more is found by the alias
// that it had, and of two owners one has to be named then: a wrong guess would remove the other's data.
func (a *app) keptOf(ctx context.Context, reg *registry.Registry, alias, caller string) (registry.Kept, error) {
	all, err := reg.Kept(ctx, a.caller())
	if err != nil {
		return registry.Kept{}, err
	}
	all = slices.DeleteFunc(all, func(k registry.Kept) bool { return k.Alias != alias })
	in, err := reg.Lookup(ctx, a.caller(), alias)
	switch {
	case err == nil:
		all = slices.DeleteFunc(all, func(k registry.Kept) bool { return !k.BelongsTo(in) })
	case len(all) == 0 || !errors.Is(err, registry.ErrNotFound):
		return registry.Kept{}, err
	case slices.ContainsFunc(all, func(k registry.Kept) bool { return k.Name != all[0].Name || k.Publisher != all[0].Publisher }):
		return registry.Kept{}, usagef("several servlets that had the name %s left data behind (see %s): install one of them, and it is that one's", alias, a.command("kv list"))
	}
	want := []string{caller}
	if caller == "" {
		want = a.ownersOf(in)
	}
	var found []registry.Kept
	var others []string
	for _, k := range all {
		if slices.Contains(want, whose(k)) {
			found = append(found, k)
		}
		others = append(others, strconv.Quote(whose(k)))
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return registry.Kept{}, usagef("%s kept something for each of %s: say whose is meant, with --caller", alias, strings.Join(others, ", "))
	case len(others) > 0:
		return registry.Kept{}, fmt.Errorf("%s keeps nothing for %s, but for --caller %s: %w", alias, strings.Join(want, " or "), strings.Join(others, ", "), registry.ErrNotFound)
	}
	return registry.Kept{}, fmt.Errorf("what %s keeps for %s: %w", alias, strings.Join(want, " or "), registry.ErrNotFound)
}

// ownersOf are those whose data an installation may mean without a word: one, as its grant says, or two when
// there is none that says it.
func (a *app) ownersOf(in registry.Installation) []string {
	own, space := a.caller().Principal, whose(registry.Kept{})
	switch kv := in.Grant.Rights.KV; {
	case kv == nil:
		return []string{own, space}
	case kv.Scope == capabilities.ScopeSpace:
		return []string{space}
	}
	return []string{own}
}
