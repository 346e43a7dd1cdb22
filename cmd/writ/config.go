package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// maxConfigValue bounds one configuration value, in bytes.
const maxConfigValue = 8 << 10

func (a *app) configVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Args: takes,
		Short:   "Show and set the configuration values that a servlet declares",
		Example: "  writ config list weather\n  writ config set weather UNITS metric",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.configListVerb(), a.configSetVerb(), a.configUnsetVerb())
	return cmd
}

// setting is one declared key with its value.
type setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Set     bool   `json:"set"` // false: Value is the manifest's default
	Default string `json:"default,omitempty"`
	Why     string `json:"why,omitempty"`
}

func (a *app) configListVerb() *cobra.Command {
	return &cobra.Command{
		Use: "list ALIAS", Args: takes,
		Short:   "List the declared keys and their values",
		Example: "  writ config list weather\n  writ config list weather --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				declared, err := a.declared(cmd, reg, args[0])
				if err != nil {
					return err
				}
				values, err := reg.Config(cmd.Context(), a.caller(), args[0])
				if err != nil {
					return err
				}
				settings := make([]setting, 0, len(declared))
				for _, c := range declared {
					v, set := values[c.Key]
					if !set {
						v = c.Default
					}
					settings = append(settings, setting{c.Key, v, set, c.Default, c.Why})
				}
				if a.json {
					return a.printJSON(map[string]any{"config": settings})
				}
				if len(settings) == 0 {
					a.say("%s declares no configuration", args[0])
					return nil
				}
				var rows [][]string
				for _, s := range settings {
					from := "default"
					if s.Set {
						from = "set"
					}
					rows = append(rows, []string{s.Key, s.Value, from, s.Why})
				}
				return a.printTable("KEY VALUE FROM WHY", rows)
			})
		},
	}
}

func (a *app) configSetVerb() *cobra.Command {
	return &cobra.Command{
		Use: "set ALIAS KEY VALUE", Args: takes,
		Short:   "Set one declared value",
		Example: "  writ config set weather UNITS metric\n  writ config set weather UNITS imperial --space work",
		RunE: func(cmd *cobra.Command, args []string) error {
			alias, key, value := args[0], args[1], args[2]
			return a.withRegistry(func(reg *registry.Registry) error {
				if err := a.mustDeclare(cmd, reg, alias, key); err != nil {
					return err
				}
				if err := checkConfigValue(value); err != nil {
					return usagef("setting %s: %w", key, err)
				}
				if err := reg.SetConfig(cmd.Context(), a.caller(), alias, key, value); err != nil {
					return err
				}
				return a.done(map[string]string{"set": key, "value": value}, "set %s of %s to %s", key, alias, value)
			})
		},
	}
}

func checkConfigValue(value string) error {
	if err := capabilities.CleanText(value); err != nil || len(value) > maxConfigValue || strings.ContainsAny(value, "\n\t") {
		return fmt.Errorf("a value is one line of at most %d bytes, without control and hidden characters", maxConfigValue)
	}
	return nil
}

func (a *app) configUnsetVerb() *cobra.Command {
	return &cobra.Command{
		Use: "unset ALIAS KEY", Args: takes,
		Short:   "Remove one value, so that the default holds again",
		Example: "  writ config unset weather UNITS\n  writ config unset weather UNITS --space work",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				if err := a.mustDeclare(cmd, reg, args[0], args[1]); err != nil {
					return err
				}
				if err := reg.UnsetConfig(cmd.Context(), a.caller(), args[0], args[1]); err != nil {
					return err
				}
				return a.done(map[string]string{"unset": args[1]}, "unset %s of %s", args[1], args[0])
			})
		},
	}
}

// declared returns the configuration keys of an installed servlet's manifest.
func (a *app) declared(cmd *cobra.Command, reg *registry.Registry, alias string) ([]capabilities.Config, error) {
	c, _, err := approval.Load(cmd.Context(), reg, a.caller(), alias)
	if err != nil {
		return nil, err
	}
	return c.Servlet.Manifest().Capabilities.Config, nil
}

func (a *app) mustDeclare(cmd *cobra.Command, reg *registry.Registry, alias, key string) error {
	declared, err := a.declared(cmd, reg, alias)
	if err != nil {
		return err
	}
	var keys []string
	for _, c := range declared {
		keys = append(keys, c.Key)
	}
	switch {
	case slices.Contains(keys, key):
		return nil
	case len(keys) == 0:
		return usagef("%s declares no configuration", alias)
	}
	return usagef("%s does not declare the key %s: it declares %s", alias, key, strings.Join(keys, ", "))
}
