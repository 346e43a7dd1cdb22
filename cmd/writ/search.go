package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/servlets/builtin"
)

// found is one row of `writ search --json`.
type found struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Description string   `json:"description"`
	Wants       []string `json:"wants"`
	Tools       []string `json:"tools"`
	Digest      string   `json:"digest"` // of the file
}

// without is how to get the servlets that a build lacks.
const without = "this build of writ has no servlets built in: download a release of it, or run \"make build\" in a clone of the project"

func (a *app) searchVerb() *cobra.Command {
	return &cobra.Command{
		Use: "search [WORD]", Args: takes,
		Short: "List the servlets that are built into writ, with what they want",
		Long: `List the servlets that are built into writ, with what they want. WORD narrows
the list to those that have it in their name, their description or a tool's
name. They are installed by name, without a network: writ install NAME.`,
		Example: "  writ search\n  writ search file --json",
		RunE: func(_ *cobra.Command, args []string) error {
			word := ""
			if len(args) > 0 {
				word = args[0]
			}
			set, err := builtin.Shipped()
			if err != nil {
				return err
			}
			all, err := search(set, word)
			if err != nil {
				return err
			}
			switch {
			case a.json:
				return a.printJSON(map[string]any{"servlets": all})
			case len(set.Servlets()) == 0:
				a.say("%s", without)
				return nil
			case len(all) == 0:
				a.say("nothing that is built into writ has \"%s\" in it: see all of it with %s", word, a.command("search"))
				return nil
			}
			var rows [][]string
			for _, f := range all {
				rows = append(rows, []string{f.Name, f.Version, strings.Join(f.Wants, ", "), f.Description})
			}
			return a.printTable("NAME VERSION WANTS WHAT-IT-DOES", rows)
		},
	}
}

// search reads the manifests of a set and keeps those that have the word in them.
func search(set *builtin.Set, word string) ([]found, error) {
	all := []found{}
	for _, s := range set.Servlets() {
		file, err := set.File(s.Name)
		if err != nil {
			return nil, err
		}
		unverified, err := capabilities.Read(file)
		var servlet capabilities.Servlet
		if err == nil {
			servlet, err = unverified.Verify()
		}
		if err != nil {
			return nil, errors.Join(builtin.ErrDamaged, err)
		}
		m := servlet.Manifest()
		f := found{Name: m.Name, Version: m.Version, Description: m.Description, Wants: wants(m.Capabilities), Digest: s.SHA256}
		for _, t := range servlet.Tools() {
			f.Tools = append(f.Tools, t.Name)
		}
		if f.has(word) {
			all = append(all, f)
		}
	}
	return all, nil
}

func (f found) has(word string) bool {
	word = strings.ToLower(word)
	return slices.ContainsFunc(append([]string{f.Name, f.Description}, f.Tools...), func(text string) bool {
		return strings.Contains(strings.ToLower(text), word)
	})
}

// wants names what a servlet asks for, as the flags of install name it.
func wants(c capabilities.Capabilities) []string {
	all := []string{}
	for _, f := range c.FS {
		mode := "read and change"
		if f.Mode == capabilities.ModeRead {
			mode = "read"
		}
		all = append(all, fmt.Sprintf("%s a folder (%s)", mode, f.ID))
	}
	for _, h := range c.HTTP {
		site := h.Origin
		if site == capabilities.UserOrigin {
			site = "a site of yours"
		}
		all = append(all, fmt.Sprintf("%s (%s)", site, h.ID))
	}
	if c.Web != nil {
		all = append(all, "the open web (web)")
	}
	if c.KV != nil {
		all = append(all, "to keep data (kv)")
	}
	for _, s := range c.Secrets {
		all = append(all, "a secret ("+s.Key+")")
	}
	for _, s := range c.Config {
		all = append(all, "a setting ("+s.Key+")")
	}
	if len(all) == 0 {
		all = append(all, "nothing")
	}
	return all
}
