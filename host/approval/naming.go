package approval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// aliasOf decides the alias and checks the names under which the AI would see every tool, given or
// not: a tool that cannot be named later must not be discovered later.
func aliasOf(s subject, as string, installed []registry.Installation) (string, error) {
	alias := as
	if alias == "" {
		alias = capabilities.AliasFor(s.manifest.Name)
	}
	if err := capabilities.ValidAlias(alias); err != nil {
		return "", fmt.Errorf("--as %s: %w", shown(as), err)
	}
	for _, in := range installed {
		if in.Alias == alias {
			return "", &worded{taken(s, in), registry.ErrExists}
		}
	}
	names := make(map[string]string)
	for _, in := range installed {
		for _, tool := range in.Grant.Rights.Tools {
			if name, err := capabilities.ToolName(in.Alias, tool); err == nil {
				names[name] = in.Alias
			}
		}
	}
	for _, tool := range s.tools {
		name, err := capabilities.ToolName(alias, tool.Name)
		if err != nil {
			return "", fmt.Errorf("tool %s: %w (--as)", tool.Name, err)
		}
		if other, ok := names[name]; ok {
			return "", fmt.Errorf("tool %s: its name is taken by %s: choose another alias with --as", name, other)
		}
	}
	return alias, nil
}

// taken says what an installed servlet is to the one that wants its alias, and what to do.
func taken(s subject, in registry.Installation) string {
	removal := fmt.Sprintf("\"writ remove %s\"", in.Alias)
	if in.Name != s.manifest.Name || in.Publisher != s.keyID {
		return fmt.Sprintf("already installed: the name %s is taken by %s %s: choose another with --as NAME, or free it with %s",
			in.Alias, in.Name, in.Version, removal)
	}
	switch {
	case in.Digest == s.file:
		return fmt.Sprintf("already installed: %s %s is here as %s, and this is the same file: change what it holds with \"writ grant %s\"",
			in.Name, in.Version, in.Alias, in.Alias)
	case capabilities.IsBuiltInKey(s.keyID) && s.manifest.Seq >= in.Seq:
		return fmt.Sprintf("already installed: %s %s is here as %s: put what is built into this writ in its place with \"writ upgrade %s\"",
			in.Name, in.Version, in.Alias, in.Alias)
	case s.manifest.Seq > in.Seq, in.Development:
		return fmt.Sprintf("already installed: %s %s is here as %s, and this is a newer one: put it in its place with \"writ upgrade %s --from FILE\"",
			in.Name, in.Version, in.Alias, in.Alias)
	}
	return fmt.Sprintf("already installed: %s %s is here as %s, and this is an older or another build of it: free the name with %s first (settings are kept)",
		in.Name, in.Version, in.Alias, removal)
}

// nearNames warns of a name that is one slip away from one that is installed: a look-alike waits for
// that slip.
func nearNames(name string, installed []registry.Installation) []string {
	var near []string
	for _, in := range installed {
		text := fmt.Sprintf("its name, %s, is nearly that of %s, which you have from another file: make sure that it is the one you want.", name, in.Name)
		if in.Name != name && nearly(name, in.Name) && !slices.Contains(near, text) {
			near = append(near, text)
		}
	}
	return near
}

// nearly says that two names differ by one letter added, left out, changed or
// swapped with its neighbour, or only in hyphens.
func nearly(a, b string) bool {
	return slip(a, b) || a != b && strings.ReplaceAll(a, "-", "") == strings.ReplaceAll(b, "-", "")
}

// slip says that a and b differ by exactly one such mistake.
func slip(a, b string) bool {
	if a == b {
		return false
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 1:
		return a[i:] == b[i+1:]
	case 0:
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		return a[i+1:] == b[i+1:] || swapped
	}
	return false
}
