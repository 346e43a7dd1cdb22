package approval

import (
	"slices"

	"github.com/writ-run/writ/capabilities"
)

// reach is what one tool could do under some rights, found by the function that decides its calls:
// what the screen says of a tool is what holds when it runs.
type reach struct {
	name    string
	reads   []string // ids of directories it can read
	changes []string // ids of directories in which it can change or delete files
	sites   []string // ids of sites it can reach, "web" for any
	writes  bool     // to some site, by more than GET and HEAD
	keeps   bool     // data between calls
	secrets []string // that it holds itself
}

// reachOf works out every tool of s under rights, whether or not they give the tool.
func reachOf(s subject, rights capabilities.Rights) []reach {
	rights.Tools = capabilities.Requested(s.manifest).Tools
	grant := capabilities.Grant{Servlet: s.manifest.Name, Publisher: s.keyID, Manifest: s.digest, Rights: rights}
	caller := capabilities.Local(capabilities.DefaultSpace)
	all := make([]reach, 0, len(s.tools))
	for _, tool := range s.tools {
		policy, err := capabilities.Effective(s.manifest, s.digest, grant, caller, capabilities.AliasFor(s.manifest.Name), tool.Name, nil)
		if err != nil {
			// Such a call would be refused, so the tool reaches nothing.
			all = append(all, reach{name: tool.Name})
			continue
		}
		all = append(all, reached(s.manifest, tool.Name, policy.Rights))
	}
	return all
}

func reached(m capabilities.Manifest, tool string, rights capabilities.Rights) reach {
	r := reach{name: tool, keeps: rights.KV != nil && !rights.KV.ReadOnly}
	for _, f := range m.Capabilities.FS {
		switch rights.FS[f.ID].Mode {
		case capabilities.ModeFull:
			r.changes = append(r.changes, f.ID)
			r.reads = append(r.reads, f.ID)
		case capabilities.ModeRead:
			r.reads = append(r.reads, f.ID)
		}
	}
	for _, h := range m.Capabilities.HTTP {
		if right, ok := rights.HTTP[h.ID]; ok {
			r.sites = append(r.sites, h.ID)
			r.writes = r.writes || sends(right.Methods)
		}
	}
	if rights.Web != nil {
		r.sites = append(r.sites, idWeb)
		r.writes = r.writes || sends(rights.Web.Methods)
	}
	for _, s := range m.Capabilities.Secrets {
		if rights.Secret[s.Key] == capabilities.SecretGuest {
			r.secrets = append(r.secrets, s.Key)
		}
	}
	return r
}

// sends says that a method is more than a question.
func sends(methods []string) bool {
	return slices.ContainsFunc(methods, func(m string) bool { return m != "GET" && m != "HEAD" })
}

// effect is a tool's reach in a few words.
func (r reach) effect() string {
	switch {
	case len(r.changes) > 0 && len(r.sites) > 0:
		return "can change or delete files, and reach the network"
	case len(r.changes) > 0:
		return "can change or delete files"
	case len(r.reads) > 0 && len(r.sites) > 0:
		return "can read files, and reach the network"
	case r.writes:
		return "can write to a site"
	case len(r.sites) > 0:
		return "can read from a site"
	case len(r.reads) > 0:
		return "can read files"
	case r.keeps:
		return "can keep data"
	}
	return "reaches nothing"
}

// readingOnly says that the tool can change nothing outside itself.
func (r reach) readingOnly() bool { return len(r.changes) == 0 && !r.writes && !r.keeps }

func namesWhere(all []reach, is func(reach) bool) []string {
	var names []string
	for _, r := range all {
		if is(r) {
			names = append(names, r.name)
		}
	}
	return names
}

func given(all []reach, tools []string) []reach {
	return slices.DeleteFunc(slices.Clone(all), func(r reach) bool { return !slices.Contains(tools, r.name) })
}
