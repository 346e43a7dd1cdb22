package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

func (a *app) secretVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "secret", Args: takes,
		Short: "Keep the keys and passwords that Writ attaches to a servlet's requests",
		Long: `Keep the keys and passwords that Writ attaches to a servlet's requests. They are
stored encrypted, go to the approved origin alone, and are never handed to the
servlet. A value is typed hidden or given on standard input: never as an
argument, which your shell and the list of processes would show.`,
		Example: "  writ secret list\n  writ secret set weather API_KEY < token.txt",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.secretListVerb(), a.secretSetVerb(), a.secretRmVerb(), a.secretKeyVerb())
	return cmd
}

// secretLine is one declared secret of one servlet. It has no value.
type secretLine struct {
	Servlet string    `json:"servlet"`
	Key     string    `json:"key"`
	Set     bool      `json:"set"`
	Version uint64    `json:"version,omitempty"`
	When    time.Time `json:"when,omitzero"`
	Why     string    `json:"why,omitempty"`
}

func (a *app) secretListVerb() *cobra.Command {
	return &cobra.Command{
		Use: "list [SERVLET]", Args: takes,
		Short:   "List the secrets that servlets declare, and which are set; never their values",
		Example: "  writ secret list\n  writ secret list weather --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				lines, err := a.secretLines(cmd, reg, args)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]any{"secrets": lines})
				}
				if len(lines) == 0 {
					a.say("no secret is declared")
					return nil
				}
				var rows [][]string
				for _, l := range lines {
					row := []string{l.Servlet, l.Key, "unset", "-", "-", l.Why}
					if l.Set {
						row = []string{l.Servlet, l.Key, "set", strconv.FormatUint(l.Version, 10), l.When.Local().Format(time.DateTime), l.Why}
					}
					rows = append(rows, row)
				}
				return a.printTable("SERVLET KEY STATE VERSION WHEN WHY", rows)
			})
		},
	}
}

func (a *app) secretLines(cmd *cobra.Command, reg *registry.Registry, aliases []string) ([]secretLine, error) {
	named := len(aliases) > 0
	if !named {
		all, err := reg.List(cmd.Context(), a.caller())
		if err != nil {
			return nil, err
		}
		for _, in := range all {
			aliases = append(aliases, in.Alias)
		}
	}
	lines := []secretLine{}
	for _, alias := range aliases {
		c, _, err := approval.Load(cmd.Context(), reg, a.caller(), alias)
		if err != nil && !named && !isAny(err, storeFailures...) {
			a.say("%s is left out: %v", alias, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		set, err := reg.Secrets(cmd.Context(), a.caller(), alias)
		if err != nil {
			return nil, err
		}
		for _, s := range c.Servlet.Manifest().Capabilities.Secrets {
			line := secretLine{Servlet: alias, Key: s.Key, Why: s.Why}
			if i := slices.IndexFunc(set, func(k registry.Secret) bool { return k.Key == s.Key }); i >= 0 {
				line.Set, line.Version, line.When = true, set[i].Version, set[i].Set
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (a *app) secretSetVerb() *cobra.Command {
	return &cobra.Command{
		Use: "set SERVLET KEY", Args: noValue,
		Short: "Set one declared secret, typed hidden or read from standard input",
		Long: `Set one declared secret, typed hidden or read from standard input, where one line
break at the end is not part of it. It replaces the value that was set before:
calls use the new one from their next request on.`,
		Example: "  writ secret set weather API_KEY < token.txt\n  writ secret set weather API_KEY --space work < token.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			alias, key := args[0], args[1]
			return a.withRegistry(func(reg *registry.Registry) error {
				c, in, err := approval.Load(cmd.Context(), reg, a.caller(), alias)
				if err != nil {
					return err
				}
				m := c.Servlet.Manifest()
				if err := declaresSecret(m, alias, key); err != nil {
					return err
				}
				value, err := a.secretInput(cmd.Context(), key)
				if err == nil {
					err = m.CheckSecret(key, value)
				}
				if err != nil {
					return usagef("setting %s: %w", key, err)
				}
				set, err := reg.SetSecret(cmd.Context(), a.caller(), in, key, value)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(set)
				}
				a.say("set %s of %s, version %d", key, alias, set.Version)
				if set.Version > 1 {
					return nil
				}
				// The first secret of a home chose where its key is, if nobody did before.
				k, err := reg.SecretKey(cmd.Context())
				if err == nil && k.Provider == "file" {
					a.say("its key is in the file %s, beside what it opens unless you chose otherwise: see %s", k.Place, a.command("secret key use --help"))
				}
				return err
			})
		},
	}
}

// noValue is takes for a verb that somebody may give the value to: what was typed too much is not
// quoted, as it may be the secret.
func noValue(cmd *cobra.Command, args []string) error {
	if len(args) > 2 {
		return errors.New("a value is never an argument: give it on standard input, or type it when asked; if that was the real one, replace it, as your shell may have kept it")
	}
	return takes(cmd, args)
}

// declaresSecret refuses a key that the manifest does not have.
func declaresSecret(m capabilities.Manifest, alias, key string) error {
	var keys []string
	for _, s := range m.Capabilities.Secrets {
		keys = append(keys, s.Key)
	}
	switch {
	case slices.Contains(keys, key):
		return nil
	case len(keys) == 0:
		return usagef("%s declares no secret", alias)
	}
	return usagef("%s does not declare the secret %s: it declares %s", alias, key, strings.Join(keys, ", "))
}

func (a *app) secretRmVerb() *cobra.Command {
	return &cobra.Command{
		Use: "rm SERVLET KEY", Aliases: []string{"remove"}, Args: takes,
		Short:   "Remove one secret; requests that need it are refused from then on",
		Example: "  writ secret rm weather API_KEY\n  writ secret rm weather API_KEY --space work",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				if _, err := reg.Lookup(cmd.Context(), a.caller(), args[0]); err != nil {
					return err
				}
				if err := reg.UnsetSecret(cmd.Context(), a.caller(), args[0], args[1]); err != nil {
					return inputError(err)
				}
				return a.done(map[string]string{"removed": args[1]}, "removed %s of %s", args[1], args[0])
			})
		},
	}
}

func (a *app) secretKeyVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Args: takes,
		Short:   "Show and choose where the key is that the secrets are encrypted with",
		Example: "  writ secret key status\n  writ secret key use file",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.secretKeyStatusVerb(), a.secretKeyUseVerb(), a.secretKeyResetVerb())
	return cmd
}

func (a *app) secretKeyStatusVerb() *cobra.Command {
	return &cobra.Command{
		Use: "status", Args: takes,
		Short:   "Show where the key of the secrets is, and whether it opens them",
		Example: "  writ secret key status\n  writ secret key status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				k, err := reg.SecretKey(cmd.Context())
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(k)
				}
				facts := [][]string{{"key", k.Provider}, {"place", k.Place}, {"secrets", strconv.Itoa(k.Secrets)}, {"problem", k.Problem}}
				if k.Provider == "" {
					facts = [][]string{{"key", "none yet: the first secret that is set makes one, in the " + reg.DefaultSecretKey()}}
				}
				facts = slices.DeleteFunc(facts, func(f []string) bool { return f[1] == "" })
				if err := a.printFacts(facts); err != nil {
					return err
				}
				if k.Problem != "" {
					return silent(exitTool)
				}
				return nil
			})
		},
	}
}

func (a *app) secretKeyUseVerb() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "use PLACE", Args: takes,
		Short: "Keep the key of the secrets in the keyring, in a file, or behind a passphrase",
		Long: `Keep the key of the secrets in the keyring, in a file, or behind a passphrase:
PLACE is keyring, file or passphrase. A key that is there moves in one step, and
the secrets stay. The file is readable by you alone; in the home, it protects
against nobody who gets a copy of the whole home: name one elsewhere with --file.
A passphrase is typed, or read from --passphrase-fd: the present one first,
where there is one, then the new one, each on a line.`,
		Example: "  writ secret key use file\n  writ secret key use passphrase --passphrase-fd 0 < token.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"keyring", "file", "passphrase"}, args[0]) {
				return usagef("%q is no place for the key: want keyring, file or passphrase", args[0])
			}
			if file != "" && args[0] != "file" {
				return usagef("--file goes with the place file alone")
			}
			path, err := absolute(file)
			if err != nil {
				return err
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				if err := reg.UseSecretKey(cmd.Context(), a.caller(), args[0], path); err != nil {
					return inputError(err)
				}
				return a.done(map[string]string{"key": args[0]}, "the key of the secrets is now in this place: %s", args[0])
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "file to make for the key, outside of the home")
	return cmd
}

func (a *app) secretKeyResetVerb() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "reset", Args: takes,
		Short:   "Delete all secrets of all spaces and their key, when the key is lost",
		Example: "  writ secret key reset --yes\n  writ secret key reset --yes --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return deniedError{fmt.Errorf("this deletes all secrets of all spaces: repeat it with --yes")}
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				if err := reg.ResetSecrets(cmd.Context(), a.caller()); err != nil {
					return err
				}
				return a.done(map[string]string{"reset": "secrets"}, "deleted all secrets and their key: set them again")
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "delete them")
	return cmd
}
