package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// events are the kinds of entries that the audit has.
var events = []string{"install", "upgrade", "grant", "revoke", "remove", "config", "secret", "secret-key", "key", "kv", "call", "effect", "answer"}

func (a *app) auditVerb() *cobra.Command {
	var f registry.Filter
	var since time.Duration
	cmd := &cobra.Command{
		Use: "audit", Args: takes,
		Short:   "Show who did what: installs, grants, calls and their effects",
		Example: "  writ audit --limit 20\n  writ audit --alias filesystem --event call --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Event != "" && !slices.Contains(events, f.Event) {
				return usagef("--event %s: want one of %s", f.Event, strings.Join(events, ", "))
			}
			if f.Limit < 0 || since < 0 {
				return usagef("--limit and --since are not negative")
			}
			if since > 0 {
				f.Since = time.Now().Add(-since)
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				entries, err := reg.Audit(cmd.Context(), a.caller(), f)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"entries": append([]registry.Entry{}, entries...)})
				}
				if len(entries) == 0 {
					a.say("nothing is recorded that fits")
					return nil
				}
				var rows [][]string
				for _, e := range entries {
					rows = append(rows, []string{e.Time.Local().Format("2006-01-02 15:04:05 -0700"), e.Event, e.Principal, e.Alias, e.Call, string(e.Detail)})
				}
				return a.printTable("TIME EVENT WHO SERVLET CALL DETAIL", rows)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Alias, "alias", "", "only this servlet")
	flags.StringVar(&f.Event, "event", "", "only this kind: "+strings.Join(events, ", "))
	flags.StringVar(&f.Call, "call", "", "only this call: the reference that an answer names")
	flags.DurationVar(&since, "since", 0, "only the last while, such as 24h")
	flags.IntVar(&f.Limit, "limit", 100, "at most the newest N entries; 0 for all")
	cmd.AddCommand(a.auditVerifyVerb())
	return cmd
}

func (a *app) auditVerifyVerb() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Args: takes,
		Short:   "Check that no entry was changed, removed or reordered",
		Example: "  writ audit verify\n  writ audit verify --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				report, err := reg.VerifyAudit(cmd.Context())
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON(report)
				} else {
					for _, b := range report.Broken {
						a.say("writ: %s", capabilities.Printable(b, maxErrorRunes))
					}
					for _, torn := range report.Torn {
						a.say("%s", capabilities.Printable(torn, maxErrorRunes))
					}
					a.say("%d entries in %d chains, %d broken", report.Entries, report.Chains, len(report.Broken))
				}
				if err == nil && len(report.Broken) > 0 {
					return silent(exitTool)
				}
				return err
			})
		},
	}
}
