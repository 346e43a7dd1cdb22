package capabilities

import (
	"regexp"
	"slices"
	"strings"
)

// The types of Auth that this Writ builds.
const (
	AuthHeader = "header"
	AuthQuery  = "query"
	AuthBasic  = "basic"
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
	if a.Type == AuthHeader && tokenForm.MatchString(a.Name) && !ValidAuthHeader(a.Name) {
		r.add(path+".name", "want a header that carries a key, such as \"Authorization\" or \"X-Api-Key\": this one steers the request")
	}
	if a.Type == AuthBasic && strings.Contains(a.User, ":") {
		r.add(path+".user", "want a user name without \":\", which ends it")
	}
	for _, key := range a.Keys() {
		if !slices.ContainsFunc(secrets, func(s Secret) bool { return s.Key == key && s.Use == SecretEgress }) {
			r.add(path, "secret %s is not in capabilities.secrets with use \"egress\": add it", quoted(key, 64))
		}
	}
}

// Keys returns the keys of the secrets that a needs, each once. a may be nil.
func (a *Auth) Keys() []string {
	if a == nil {
		return nil
	}
	var keys []string
	if a.Secret != "" {
		keys = append(keys, a.Secret)
	}
	for _, match := range secretRef.FindAllStringSubmatch(a.Value, -1) {
		if !slices.Contains(keys, match[1]) {
			keys = append(keys, match[1])
		}
	}
	return keys
}

// Expand returns Value with each "{secret:KEY}" replaced by what value returns for KEY, in one pass: a
// secret that looks like such a reference is not one.
func (a Auth) Expand(value func(key string) string) string {
	return secretRef.ReplaceAllStringFunc(a.Value, func(ref string) string {
		return value(secretRef.FindStringSubmatch(ref)[1])
	})
}

// steeringFields are header fields that no key travels in: they frame a request, route it, or say who
// sent it. A publisher who could set one through a secret would get past the grant.
var steeringFields = []string{
	"accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie", "cookie2", "date",
	"expect", "forwarded", "host", "http2-settings", "keep-alive", "origin", "range", "referer", "te", "trailer",
	"transfer-encoding", "upgrade", "user-agent", "via",
}

var steeringPrefixes = []string{"proxy-", "sec-", "x-forward", "x-http-", "x-method-override", "x-original", "x-real", "x-rewrite"}

// ValidAuthHeader says that a secret may be sent in the header field of this name.
func ValidAuthHeader(name string) bool {
	lower := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return tokenForm.MatchString(name) && !slices.Contains(steeringFields, lower) &&
		!slices.ContainsFunc(steeringPrefixes, func(p string) bool { return strings.HasPrefix(lower, p) })
}
