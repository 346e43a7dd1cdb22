package capabilities

import (
	"regexp"
	"slices"
	"strings"
)

// authFields lists the fields that each type of Auth has; those that end in "?" may be left out.
var authFields = map[string][]string{
	"header": {"name", "value"},
	"query":  {"name", "value"},
	"basic":  {"user", "secret"},
	"hmac":   {"name", "secret"},
	"sigv4":  {"name", "user", "secret", "region"},
	"oauth2": {"secret", "scopes?"},
}

var secretRef = regexp.MustCompile(`\{secret:([A-Z][A-Z0-9_]{0,63})\}`)

func (a Auth) check(r *report, path string, secrets []Secret) {
	fields, known := authFields[a.Type]
	if !known {
		r.add(path+".type", "want header, query, basic, hmac, sigv4 or oauth2")
		return
	}
	for _, f := range []struct{ name, value string }{
		{"name", a.Name}, {"value", a.Value}, {"user", a.User}, {"secret", a.Secret}, {"region", a.Region}, {"scopes", a.Scopes},
	} {
		switch {
		case slices.Contains(fields, f.name) && f.value == "":
			r.add(path+"."+f.name, "type %s needs it", a.Type)
		case !slices.Contains(fields, f.name) && !slices.Contains(fields, f.name+"?") && f.value != "":
			r.add(path+"."+f.name, "type %s has no such field: remove it", a.Type)
		}
		checkLine(r, path+"."+f.name, f.value)
	}
	if a.Name != "" && !tokenForm.MatchString(a.Name) {
		r.add(path+".name", "want a plain name of letters, digits and \"-\"")
	}
	if a.Value != "" && (!secretRef.MatchString(a.Value) || strings.ContainsAny(secretRef.ReplaceAllString(a.Value, ""), "{}")) {
		r.add(path+".value", "want text with \"{secret:KEY}\" and no other braces")
	}
	for _, key := range a.secrets() {
		if !slices.ContainsFunc(secrets, func(s Secret) bool { return s.Key == key && s.Use == SecretEgress }) {
			r.add(path, "secret %s is not in capabilities.secrets with use \"egress\": add it", quoted(key, 64))
		}
	}
}

// secrets returns the keys of the secrets that a needs. a may be nil.
func (a *Auth) secrets() []string {
	if a == nil {
		return nil
	}
	var keys []string
	if a.Secret != "" {
		keys = append(keys, a.Secret)
	}
	for _, match := range secretRef.FindAllStringSubmatch(a.Value, -1) {
		keys = append(keys, match[1])
	}
	return keys
}
