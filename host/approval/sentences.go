package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// maxNamed is how many tools a sentence names; the details name all.
const maxNamed = 12

// signer says who answers for a servlet, in words that need no colour.
func signer(s subject, st standing) string {
	print := capabilities.Fingerprint(s.keyID)
	switch {
	case st.origin == builtInHere:
		return "built into writ (it came with the program that asks you)"
	case st.origin == builtInAbroad:
		return "built into another version of writ, from which it was installed"
	case st.development:
		return "signed by this home's own DEVELOPMENT KEY " + print + " (your build; nobody else vouches for it)"
	case st.known:
		return "signed by key " + print + " (known here since " + st.since.UTC().Format(time.DateOnly) + ")"
	}
	return "signed by UNKNOWN KEY " + print + " (first time seen; anyone can make one)"
}

// added says what the AI gets, and which of it can do harm.
func added(s subject, tools []reach) string {
	if len(tools) == 0 {
		return fmt.Sprintf("It adds nothing to your AI yet: none of its %s is given.", counted(len(s.tools), "tool"))
	}
	text := "It adds " + counted(len(tools), "tool")
	if len(tools) < len(s.tools) {
		text = fmt.Sprintf("It adds %d of its %s", len(tools), counted(len(s.tools), "tool"))
	}
	text += " to your AI; "
	changing := namesWhere(tools, func(r reach) bool { return len(r.changes) > 0 })
	writing := namesWhere(tools, func(r reach) bool { return r.writes })
	switch {
	case len(changing) == 0 && len(writing) == 0:
		return text + "none can change files or write to a site."
	case len(changing) == 0:
		return text + fmt.Sprintf("%d can write to a site: %s.", len(writing), named(writing))
	case len(writing) == 0:
		return text + fmt.Sprintf("%d can change or delete files: %s.", len(changing), named(changing))
	}
	return text + fmt.Sprintf("%d can change or delete files: %s; %d can write to a site: %s.",
		len(changing), named(changing), len(writing), named(writing))
}

func named(tools []string) string {
	if len(tools) > maxNamed {
		return fmt.Sprintf("%s and %d more", strings.Join(tools[:maxNamed], " "), len(tools)-maxNamed)
	}
	return strings.Join(tools, " ")
}

// never says what stays closed under rights. It promises nothing that the sandbox does not keep.
func never(rights capabilities.Rights, powers []capabilities.Power) string {
	var no []string
	if len(rights.FS) > 0 {
		no = append(no, "read other folders")
	} else {
		no = append(no, "read or change any file")
	}
	switch {
	case rights.Web != nil:
		no = append(no, "reach this machine or your own network")
	case len(rights.HTTP) > 0:
		no = append(no, "reach other sites")
	default:
		no = append(no, "reach any site")
	}
	// A folder that it may change, and a site, are memories too.
	changing := slices.ContainsFunc(slices.Collect(maps.Values(rights.FS)), func(f capabilities.FSRight) bool { return f.Mode == capabilities.ModeFull })
	// What it has no code for is said below, once.
	coded := !slices.ContainsFunc(powers, func(p capabilities.Power) bool {
		return p.Kind == capabilities.KindKV && p.Status == capabilities.Impossible
	})
	if coded && rights.KV == nil && rights.Web == nil && len(rights.HTTP) == 0 && !changing {
		no = append(no, "keep data between calls")
	}
	return "It can NEVER: " + strings.Join(append(no, "see your environment, see other servlets, start programs"), ", ") + "."
}

// Words for kinds of power, as a person would name them.
var kindWords = map[capabilities.Kind]string{
	capabilities.KindFS:     "files",
	capabilities.KindHTTP:   "named sites",
	capabilities.KindWeb:    "the open web",
	capabilities.KindKV:     "kept data",
	capabilities.KindConfig: "settings",
	capabilities.KindSecret: "secrets",
}

// standings tells what is impossible (a fact of the code) from what was not given (a decision).
func standings(powers []capabilities.Power) []string {
	var impossible, refused []string
	for _, p := range powers {
		word, ok := kindWords[p.Kind]
		if !ok {
			word = string(p.Kind)
		}
		if p.ID != "" {
			word += " (" + p.ID + ")"
		}
		switch p.Status {
		case capabilities.Impossible:
			impossible = append(impossible, word)
		case capabilities.NotGranted:
			refused = append(refused, word)
		}
	}
	var lines []string
	if len(impossible) > 0 {
		lines = append(lines, "Impossible, it has no code for it: "+strings.Join(impossible, ", ")+".")
	}
	if len(refused) > 0 {
		lines = append(lines, "Not given: "+strings.Join(refused, ", ")+".")
	}
	return append(lines, "Environment variables: none, for any servlet.")
}

// could says what a malicious servlet would do with the tools and rights that are given: not each
// right for itself, but what they come to together.
func could(s subject, rights capabilities.Rights, tools []reach) string {
	var can []string
	for _, f := range s.manifest.Capabilities.FS {
		if slices.ContainsFunc(tools, func(r reach) bool { return slices.Contains(r.changes, f.ID) }) {
			can = append(can, "damage files in "+shownPath(rights.FS[f.ID].Path)+", also ones that other programs run")
		}
	}
	can = append(can, leaks(s, rights, tools)...)
	for _, h := range s.manifest.Capabilities.HTTP {
		right, ok := rights.HTTP[h.ID]
		used := slices.ContainsFunc(tools, func(r reach) bool { return r.writes && slices.Contains(r.sites, h.ID) })
		if ok && used && sends(right.Methods) {
			can = append(can, "change data at "+host(right.Origin)+asYou(h))
		}
	}
	for _, secret := range s.manifest.Capabilities.Secrets {
		if rights.Secret[secret.Key] == capabilities.SecretGuest {
			can = append(can, "give away your secret "+secret.Key)
		}
	}
	if keeping := slices.ContainsFunc(tools, func(r reach) bool { return r.keeps }); keeping && rights.KV.Scope != capabilities.ScopeCaller {
		can = append(can, "pass what one caller tells it to another")
	} else if keeping {
		can = append(can, "bring up in one conversation what it was told in another")
	}
	return "If it is malicious it can: " + strings.Join(append(can, "mislead your AI"), "; ") + "."
}

func asYou(h capabilities.HTTP) string {
	if h.Auth != nil {
		return " in your name"
	}
	return ""
}

func host(origin string) string { return strings.TrimPrefix(origin, "https://") }
