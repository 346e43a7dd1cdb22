package toolchain

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

const (
	maxCauses   = 6 // comments for one capability
	defaultKept = 64
	siblings    = 2 // paths of one folder that are named one by one; more of them are the folder
)

// Propose writes the least of servlet.toml with which the calls of the session pass: the tables capabilities
// and uses, to be put in the place of those that are there, with comments that say what called for each.
// What m requests already keeps its id, its shape and its reason, as far as it was used; what nothing used is
// left out. byURL says that the code names sites by URL, as in TypeScript. It is "" for a session without
// calls.
//
// Directories and sites still have to be granted. What a call would have asked for after a refusal is not
// known: make it again with what is proposed.
func (s *Session) Propose(m capabilities.Manifest, byURL bool) (string, error) {
	if len(s.called) == 0 {
		return "", nil
	}
	g := s.gather(m, byURL)
	var b strings.Builder
	g.writeHTTP(&b, m)
	g.writeFS(&b, m)
	g.writeRest(&b, m)
	g.writeUses(&b)
	if b.Len() == 0 {
		b.WriteString("# nothing: these calls need no capability\n")
	}
	comment(&b, "servlet.toml cannot request this", g.strange)
	var uncalled []string
	for _, raw := range m.Tools {
		if tool, err := capabilities.ParseTool(raw); err == nil && !s.called[tool.Name] {
			uncalled = append(uncalled, tool.Name)
		}
	}
	if len(uncalled) > 0 {
		fmt.Fprintf(&b, "# not called, so that nothing is known of what they need: %s\n", strings.Join(uncalled, " "))
	}
	if s.full {
		b.WriteString("# these calls asked for more than is kept in mind: this is not all of it\n")
	}
	return b.String(), check(b.String(), m)
}

// check reads a proposal as servlet.toml is read, so that none is printed that would be refused.
func check(text string, m capabilities.Manifest) error {
	d, err := parseDeclaration("proposal", fmt.Sprintf("name = %s\nversion = %s\n", quoted(m.Name), quoted(m.Version))+text)
	if err != nil {
		return err
	}
	full := d.manifest()
	full.Tools = m.Tools
	return d.check(full, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
}

// quoted is a basic string of TOML, whose escapes those of JSON are.
func quoted(text string) string {
	raw, _ := json.Marshal(text) // a string always encodes
	return string(raw)
}

func list(texts []string) string {
	var all []string
	for _, t := range texts {
		all = append(all, quoted(t))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (c cause) write(b *strings.Builder) {
	texts := slices.Sorted(maps.Keys(c.texts))
	for _, t := range texts[:min(len(texts), maxCauses)] {
		fmt.Fprintf(b, "# %s\n", capabilities.Printable(t, 300))
	}
	if more := len(texts) - maxCauses; more > 0 {
		fmt.Fprintf(b, "# and %d more\n", more)
	}
}

func comment(b *strings.Builder, what string, texts []string) {
	for _, t := range texts[:min(len(texts), maxCauses)] {
		fmt.Fprintf(b, "# %s: %s\n", what, capabilities.Printable(t, 300))
	}
}

func why(b *strings.Builder, text string) {
	if text != "" {
		fmt.Fprintf(b, "why = %s\n", quoted(text))
	}
}

func (g gathered) writeHTTP(b *strings.Builder, m capabilities.Manifest) {
	for _, id := range slices.Sorted(maps.Keys(g.http)) {
		need := g.http[id]
		was := capabilities.HTTP{ID: id, Origin: need.origin}
		if i := slices.IndexFunc(m.Capabilities.HTTP, func(h capabilities.HTTP) bool { return h.ID == id }); i >= 0 {
			was = m.Capabilities.HTTP[i]
		}
		b.WriteString("[[capabilities.http]]\n")
		need.write(b)
		fmt.Fprintf(b, "id = %s\norigin = %s", quoted(id), quoted(was.Origin))
		if was.Origin == capabilities.UserOrigin {
			b.WriteString(" # the operator chooses the site, with --host; write it here if it is always the same")
		}
		fmt.Fprintf(b, "\nmethods = %s\npaths = %s\n", list(slices.Sorted(maps.Keys(need.methods))), list(leastPaths(was.Paths, need.paths)))
		if was.Auth != nil {
			fmt.Fprintf(b, "auth = %s\n", inline(was.Auth))
		}
		why(b, was.Why)
		b.WriteString("\n")
	}
}

// leastPaths covers what was asked for: by the declared paths that were used, which have the shape that the
// author gave them, and by new ones for the rest.
func leastPaths(declared []string, asked map[string]bool) []string {
	least := map[string]bool{}
	folders := map[string][]string{}
	for _, p := range slices.Sorted(maps.Keys(asked)) {
		if i := slices.IndexFunc(declared, func(d string) bool { return capabilities.PathCovers(d, p) }); i >= 0 {
			least[declared[i]] = true
			continue
		}
		folder := p[:strings.LastIndexByte(p, '/')+1]
		folders[folder] = append(folders[folder], p)
	}
	for folder, paths := range folders {
		if len(paths) > siblings && folder != "/" {
			paths = []string{folder}
		}
		for _, p := range paths {
			least[p] = true
		}
	}
	return slices.Sorted(maps.Keys(least))
}

// inline is an auth as an inline table.
func inline(auth *capabilities.Auth) string {
	var members []string
	for _, m := range [][2]string{
		{"type", auth.Type}, {"name", auth.Name}, {"value", auth.Value}, {"user", auth.User},
		{"secret", auth.Secret}, {"region", auth.Region}, {"scopes", auth.Scopes},
	} {
		if m[1] != "" {
			members = append(members, m[0]+" = "+quoted(m[1]))
		}
	}
	return "{ " + strings.Join(members, ", ") + " }"
}

func (g gathered) writeFS(b *strings.Builder, m capabilities.Manifest) {
	for _, id := range slices.Sorted(maps.Keys(g.fs)) {
		need, mode := g.fs[id], capabilities.ModeRead
		if need.writes {
			mode = capabilities.ModeFull
		}
		b.WriteString("[[capabilities.fs]]\n")
		need.write(b)
		fmt.Fprintf(b, "id = %s\nguest = %s\nmode = %s\n", quoted(id), quoted(need.guest), quoted(string(mode)))
		for _, f := range m.Capabilities.FS {
			if f.ID == id {
				why(b, f.Why)
			}
		}
		b.WriteString("\n")
	}
}

func (g gathered) writeRest(b *strings.Builder, m capabilities.Manifest) {
	c := m.Capabilities
	if g.web != nil {
		b.WriteString("[capabilities.web]\n")
		g.web.write(b)
		fmt.Fprintf(b, "methods = %s\n", list(slices.Sorted(maps.Keys(g.web.methods))))
		if c.Web != nil {
			why(b, c.Web.Why)
		}
		b.WriteString("\n")
	}
	for _, key := range slices.Sorted(maps.Keys(g.config)) {
		b.WriteString("[[capabilities.config]]\n")
		g.config[key].write(b)
		fmt.Fprintf(b, "key = %s\n", quoted(key))
		for _, k := range c.Config {
			if k.Key == key {
				if k.Default != "" {
					fmt.Fprintf(b, "default = %s\n", quoted(k.Default))
				}
				why(b, k.Why)
			}
		}
		b.WriteString("\n")
	}
	// Which secret a request carries is the manifest's to say: those of the sites that were asked.
	for _, s := range c.Secrets {
		carried := slices.ContainsFunc(c.HTTP, func(h capabilities.HTTP) bool { return g.http[h.ID] != nil && slices.Contains(h.Auth.Keys(), s.Key) })
		if carried {
			fmt.Fprintf(b, "[[capabilities.secrets]]\nkey = %s\nuse = %s\n", quoted(s.Key), quoted(s.Use))
			why(b, s.Why)
			b.WriteString("\n")
		}
	}
	if g.kv != nil {
		was := capabilities.KV{QuotaKB: defaultKept, Scope: capabilities.ScopeCaller}
		if c.KV != nil {
			was = *c.KV
		}
		b.WriteString("[capabilities.kv]\n")
		g.kv.write(b)
		fmt.Fprintf(b, "quota_kb = %s\nscope = %s\n", strconv.Itoa(was.QuotaKB), quoted(was.Scope))
		why(b, was.Why)
		b.WriteString("\n")
	}
}

// writeUses names what each tool needs, narrowed where it only reads.
func (g gathered) writeUses(b *strings.Builder) {
	if len(g.uses) == 0 {
		return
	}
	b.WriteString("[uses]\n")
	for _, tool := range slices.Sorted(maps.Keys(g.uses)) {
		var all []string
		for _, use := range slices.Sorted(maps.Keys(g.uses[tool])) {
			if !g.uses[tool][use] && g.changes(use) {
				use += ":ro"
			}
			all = append(all, use)
		}
		fmt.Fprintf(b, "%s = %s\n", tool, list(all))
	}
}

// changes tells whether a capability, as it is proposed, lets any tool change something: only then a tool that
// reads is narrowed by ":ro".
func (g gathered) changes(use string) bool {
	for _, uses := range g.uses {
		if uses[use] {
			return true
		}
	}
	return use == string(capabilities.KindKV)
}
