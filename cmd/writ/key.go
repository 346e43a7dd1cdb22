package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

func (a *app) keyVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Args: takes,
		Short: "Decide who may use this machine's tools over HTTP",
		Long: `Decide who may use this machine's tools over HTTP (see ` + "`writ serve`" + `). A key is
for the spaces and the role that it was made with. It is printed once, when it
is made; only a hash is stored. From the first key on, every client needs one,
also on loopback. Changes reach a running server at once.`,
		Example: "  writ key create laptop\n  writ key list",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.keyCreateVerb(), a.keyListVerb(), a.keyRotateVerb(), a.keyRevokeVerb())
	return cmd
}

// usualExpiry is for how long a key lets anyone in unless another time is asked for.
const usualExpiry = "90d"

func (a *app) keyCreateVerb() *cobra.Command {
	var spec registry.KeySpec
	var expires string
	cmd := &cobra.Command{
		Use: "create NAME", Args: takes,
		Short: "Make a key and print it, once",
		Long: `Make a key and print it, once. Clients send it as "Authorization: Bearer KEY".
For a client that can only be given an address, --url makes a key that may be
part of one, and prints the path: whoever sees that address has the key.`,
		Example: "  writ key create laptop\n  writ key create ci --spaces work,default --role observer --expires 30d",
		RunE: func(cmd *cobra.Command, args []string) error {
			spec.Name = args[0]
			if len(spec.Spaces) == 0 {
				spec.Spaces = []string{a.space}
			} else if cmd.Flags().Changed("space") {
				return usagef("give --space for one space or --spaces for several, not both")
			}
			var err error
			if spec.Expires, err = expiry(expires); err != nil {
				return err
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				text, key, err := reg.CreateKey(cmd.Context(), a.caller(), spec)
				if err != nil {
					return err
				}
				return a.tellKey(text, key, "made")
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&spec.Spaces, "spaces", nil, "spaces that it is for (default the one of --space)")
	flags.StringVar(&spec.Role, "role", capabilities.RoleUser, "user lists and calls tools, observer only lists them")
	flags.BoolVar(&spec.URL, "url", false, "the key may be part of an address, for clients that take no header")
	flags.StringVar(&expires, "expires", usualExpiry, "for how long it is valid, such as 12h or 30d, or never")
	return cmd
}

// tellKey prints the text of a key to standard output and nowhere else, and what to know about it beside.
func (a *app) tellKey(text string, key registry.AccessKey, done string) error {
	shown := text
	if key.URL {
		shown = "/k/" + text + "/mcp"
		if first := key.Spaces[0]; first != capabilities.DefaultSpace {
			shown = "/k/" + text + "/s/" + first + "/mcp"
		}
	}
	until := "never expires"
	if !key.Expires.IsZero() {
		until = "expires " + key.Expires.Local().Format(time.DateTime)
	}
	if a.json {
		out := map[string]any{"id": key.ID, "name": key.Name, "key": text, "spaces": key.Spaces, "roles": key.Roles}
		if !key.Expires.IsZero() {
			out["expires"] = key.Expires
		}
		if key.URL {
			out["path"] = shown
		}
		return a.printJSON(out)
	}
	a.say("%s the key %s for %s (%s); it %s and is not shown again", done, key.Name, strings.Join(key.Spaces, ", "), strings.Join(key.Roles, ", "), until)
	if key.URL {
		a.say("append this path to the server's address; whoever sees the address has the key")
	}
	_, err := fmt.Fprintln(a.stdout, shown)
	return err
}

// listedKey is one row of `writ key list --json`.
type listedKey struct {
	registry.AccessKey
	State string `json:"state"` // "valid", "expired" or "revoked"
}

func (a *app) keyListVerb() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: takes,
		Short:   "List the keys, what they are for and when they were used last; never the keys themselves",
		Example: "  writ key list\n  writ key list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				keys, err := reg.Keys(cmd.Context(), a.caller())
				if err != nil {
					return err
				}
				out := make([]listedKey, 0, len(keys))
				for _, k := range keys {
					out = append(out, listedKey{k, keyState(k)})
				}
				if a.json {
					return a.printJSON(map[string]any{"keys": out})
				}
				if len(out) == 0 {
					a.say("there is no key: clients on this machine need none; make one with %s", a.command("key create NAME"))
					return nil
				}
				var rows [][]string
				for _, k := range out {
					role := strings.Join(k.Roles, ",")
					if k.URL {
						role += ", url"
					}
					rows = append(rows, []string{k.Name, k.ID, strings.Join(k.Spaces, ","), role, dateOr(k.Expires, "never"), dateOr(k.Used, "never"), k.State})
				}
				return a.printTable("NAME ID SPACES ROLE EXPIRES USED STATE", rows)
			})
		},
	}
}

func keyState(k registry.AccessKey) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case k.Ended(time.Now()):
		return "expired"
	}
	return "valid"
}

func dateOr(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format(time.DateTime)
}

func (a *app) keyRotateVerb() *cobra.Command {
	var overlap, expires string
	cmd := &cobra.Command{
		Use: "rotate NAME", Args: takes,
		Short: "Replace a key by a new one of the same name, and print that, once",
		Long: `Replace a key, named by its name or id, by a new one, and print that, once. Who it
is stays the same: limits, stored data and the audit go on. The one before ends
at once, or after --overlap.`,
		Example: "  writ key rotate laptop\n  writ key rotate laptop --overlap 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			lap, err := span("--overlap", overlap)
			if err != nil {
				return err
			}
			until, err := expiry(expires)
			if err != nil {
				return err
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				text, key, err := reg.RotateKey(cmd.Context(), a.caller(), args[0], lap, until)
				if err != nil {
					return err
				}
				return a.tellKey(text, key, "rotated")
			})
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", "0s", "for how long the key before stays valid, too")
	cmd.Flags().StringVar(&expires, "expires", usualExpiry, "for how long the new one is valid, such as 12h or 30d, or never")
	return cmd
}

func (a *app) keyRevokeVerb() *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Args: takes,
		Short: "End a key at once, and the calls that run with it",
		Long: `End a key, named by its name or id, at once and for ever, and the calls that run
with it. After the last one clients still need a key: this opens nothing.`,
		Example: "  writ key revoke laptop\n  writ key revoke laptop --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				key, err := reg.RevokeKey(cmd.Context(), a.caller(), args[0])
				if err != nil {
					return err
				}
				return a.done(map[string]string{"revoked": key.Name, "id": key.ID}, "revoked the key %s", key.Name)
			})
		},
	}
}

// expiry reads when a key ends: a time from now, or never.
func expiry(text string) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	d, err := span("--expires", text)
	if err == nil && d < time.Minute {
		err = usagef("--expires %s: want at least a minute, or never", text)
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Now().Add(d), nil
}

// maxSpan is more than any key should live, and less than what a duration can hold.
const maxSpan = 10 * 366 * 24 * time.Hour

// span reads a duration that may be given in days.
func span(flag, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 12)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 || d > maxSpan {
		return 0, usagef("%s %s: want a time such as 12h or 30d, ten years at most", flag, text)
	}
	return d, nil
}
