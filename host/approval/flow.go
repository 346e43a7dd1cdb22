package approval

import (
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// leaks says what could be sent where: what is private first, by the servlet alone or by way of the
// AI, and then what the AI itself says to it.
func leaks(s subject, rights capabilities.Rights, tools []reach) []string {
	var all, direct, byAI []string
	for _, id := range sites(s, rights, tools) {
		name := "anyone"
		if id != idWeb {
			name = host(rights.HTTP[id].Origin)
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
		switch flowTo(tools, reach.readsAny, id) {
		case flowDirect:
			direct = append(direct, name)
		case flowByAI:
			byAI = append(byAI, name)
		}
	}
	var can []string
	from := sources(s, rights, tools)
	if len(direct) > 0 {
		can = append(can, "send what it reads in "+from+" to "+strings.Join(slices.Compact(direct), ", "))
	}
	if len(byAI) > 0 {
		can = append(can, "talk your AI into sending what it reads in "+from+" to "+strings.Join(slices.Compact(byAI), ", "))
	}
	if len(all) > 0 {
		can = append(can, "send what your AI tells it to "+strings.Join(all, ", "))
	}
	return can
}

// sites lists the ids of the sites that some given tool can reach.
func sites(s subject, rights capabilities.Rights, tools []reach) []string {
	var ids []string
	for _, h := range s.manifest.Capabilities.HTTP {
		if _, ok := rights.HTTP[h.ID]; ok {
			ids = append(ids, h.ID)
		}
	}
	if rights.Web != nil {
		ids = append(ids, idWeb)
	}
	return slices.DeleteFunc(ids, func(id string) bool {
		return !slices.ContainsFunc(tools, func(r reach) bool { return slices.Contains(r.sites, id) })
	})
}

// sources lists the folders that some given tool can read.
func sources(s subject, rights capabilities.Rights, tools []reach) string {
	var paths []string
	for _, f := range s.manifest.Capabilities.FS {
		if slices.ContainsFunc(tools, func(r reach) bool { return slices.Contains(r.reads, f.ID) }) {
			paths = append(paths, shownPath(rights.FS[f.ID].Path))
		}
	}
	return strings.Join(paths, " and ")
}

// flow is how private content could get to a site.
type flow int

const (
	flowNone   flow = iota
	flowByAI        // one tool reads, another sends: only the AI can carry it across
	flowDirect      // the servlet can do it by itself
)

func (r reach) readsAny() bool { return len(r.reads) > 0 }

// flowTo looks for a way from a tool that is a source to one that reaches a site: within one tool, or
// through something that both can use. An empty site is any.
func flowTo(tools []reach, source func(reach) bool, site string) flow {
	found := flowNone
	for _, from := range tools {
		if !source(from) {
			continue
		}
		for _, to := range tools {
			reaches := slices.Contains(to.sites, site) || site == "" && len(to.sites) > 0
			switch {
			case !reaches:
			case from.name == to.name || from.keeps && to.keeps || carries(from, to):
				return flowDirect
			default:
				found = flowByAI
			}
		}
	}
	return found
}

// carries says that from can leave a file where to can read it.
func carries(from, to reach) bool {
	return slices.ContainsFunc(from.changes, func(id string) bool { return slices.Contains(to.reads, id) })
}

// combined warns of the one combination that turns a helper into a leak.
func combined(tools []reach) []string {
	source := func(r reach) bool { return len(r.reads) > 0 || len(r.secrets) > 0 }
	switch flowTo(tools, source, "") {
	case flowDirect:
		return []string{"it can read what is private and reach the network: what it reads can leave this machine."}
	case flowByAI:
		return []string{"some of its tools read what is private and others reach the network: your AI could carry it across."}
	}
	return nil
}
