package capabilities

import "fmt"

// notBuilt lists what schema writ/1 has and this Writ does not enforce yet. A manifest that asks for
// one of these is refused by name: accepting it unenforced would promise what nothing keeps. Building
// a feature means deleting its line. asks returns the paths of the fields that ask for it.
var notBuilt = []struct {
	feature string
	asks    func(m Manifest) []string
}{
	{"prompts", func(m Manifest) []string { return when(len(m.Prompts) > 0, "prompts") }},
	{"resources", func(m Manifest) []string { return when(len(m.Resources) > 0, "resources") }},
	{"skills", func(m Manifest) []string { return when(len(m.Skills) > 0, "skills") }},
	{"elicitation", func(m Manifest) []string { return when(m.Capabilities.Elicit != nil, "capabilities.elicit") }},
	{"secrets of use guest", guestSecrets},
	{"auth type hmac", func(m Manifest) []string { return authOf(m, "hmac") }},
	{"auth type sigv4", func(m Manifest) []string { return authOf(m, "sigv4") }},
	{"auth type oauth2", func(m Manifest) []string { return authOf(m, "oauth2") }},
	{"per-parameter limits", func(m Manifest) []string {
		return httpWhere(m, "params", func(h HTTP) bool { return len(h.Params) > 0 })
	}},
}

func (r *report) notBuilt(m Manifest) {
	for _, nb := range notBuilt {
		for _, path := range nb.asks(m) {
			r.add(path, "not built yet (%s): remove it, or use a newer Writ", nb.feature)
		}
	}
}

func when(asked bool, path string) []string {
	if asked {
		return []string{path}
	}
	return nil
}

func guestSecrets(m Manifest) []string {
	var paths []string
	for i, s := range m.Capabilities.Secrets {
		if s.Use == SecretGuest {
			paths = append(paths, fmt.Sprintf("capabilities.secrets[%d].use", i))
		}
	}
	return paths
}

func authOf(m Manifest, kind string) []string {
	return httpWhere(m, "auth.type", func(h HTTP) bool { return h.Auth != nil && h.Auth.Type == kind })
}

func httpWhere(m Manifest, field string, asks func(HTTP) bool) []string {
	var paths []string
	for i, h := range m.Capabilities.HTTP {
		if asks(h) {
			paths = append(paths, fmt.Sprintf("capabilities.http[%d].%s", i, field))
		}
	}
	return paths
}
