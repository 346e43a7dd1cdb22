package clients

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/writ-run/writ/cmd/clients/config"
)

// Finding is something about a server that its user should know. It never holds a value of the file
// that may be a key.
type Finding struct {
	Kind string `json:"kind"` // "key", "unpinned", "unencrypted"
	What string `json:"what"` // one line
}

// Findings looks at one server: keys that stand in the file for everyone to read, programs whose
// next version nobody has seen, addresses that are called without encryption.
func (s Server) Findings() []Finding {
	var out []Finding
	for _, where := range s.keys() {
		out = append(out, Finding{"key", "a key in plain text: " + where})
	}
	if pkg, ok := launched(s.Command()); ok && !pkg.pinned {
		out = append(out, Finding{"unpinned", "no fixed version of " + pkg.shown + ": whoever publishes the next one runs it here"})
	}
	for _, address := range append([]string{s.URL()}, s.Command()...) {
		if u, err := url.Parse(address); err == nil && u.Scheme == "http" && u.Host != "" && !Loopback(u.Hostname()) {
			out = append(out, Finding{"unencrypted", "no encryption to " + u.Host + ": others on the way can read and change what is said"})
		}
	}
	return out
}

// keys names the places of what looks like keys, each once.
func (s Server) keys() []string {
	var found []string
	add := func(where string) {
		if tokenShape.MatchString(where) {
			where = "a name"
		}
		if !slices.Contains(found, where) {
			found = append(found, where)
		}
	}
	var walk func(v config.Value, name string)
	walk = func(v config.Value, name string) {
		switch v.Kind {
		case config.String:
			if secret(name, v.Text) {
				add(name)
			}
		case config.Table:
			for _, m := range v.Members {
				walk(m.Value, m.Name)
			}
		case config.List:
			if name == "args" || name == "command" {
				keysInArguments(v.Strings(), add)
				return
			}
			for _, item := range v.Items {
				walk(item, name)
			}
		}
	}
	walk(s.value, "")
	if u, err := url.Parse(s.URL()); err == nil {
		keysInURL(u, add)
	}
	return found
}

// keysInArguments looks at --token X, --token=X, TOKEN=X and "Authorization: X". What it names is the
// name: one that does not look like a name may be a part of the key.
func keysInArguments(args []string, add func(string)) {
	for i, a := range args {
		hit := false
		for _, mark := range []string{"=", ":"} {
			name, value, ok := strings.Cut(a, mark)
			if ok && named.MatchString(name) && !strings.HasPrefix(value, "//") && secret(strings.TrimLeft(name, "-"), value) {
				hit = true
				add(label(name, i))
			}
		}
		switch {
		case hit:
		case a != "" && a[0] == '-' && named.MatchString(a) && secretName(a) && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") && secret(a, args[i+1]):
			add(label(a, i))
		case tokenShape.MatchString(a) && (i == 0 || !secretName(args[i-1])):
			add(label("", i))
		}
	}
}

// named is the form of a flag, a variable or a header.
var named = regexp.MustCompile(`^-{0,2}[A-Za-z][A-Za-z0-9_.-]{0,47}$`)

// label is how an argument is spoken of.
func label(name string, i int) string {
	if name == "" || tokenShape.MatchString(name) {
		return fmt.Sprintf("argument %d", i+1)
	}
	return name
}

// keysInURL looks at the parts of an address that are often keys.
func keysInURL(u *url.URL, add func(string)) {
	if _, ok := u.User.Password(); ok {
		add("the password in its address")
	}
	for name, values := range u.Query() {
		if slices.ContainsFunc(values, func(v string) bool { return secret(name, v) }) {
			add(name + " in its address")
		}
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if randomPart.MatchString(part) && strings.ContainsFunc(part, unicode.IsDigit) && strings.ContainsFunc(part, unicode.IsLetter) {
			add("a long random part of its address")
		}
	}
}

var (
	randomPart = regexp.MustCompile(`^[A-Za-z0-9_=-]{24,}$`)
	reference  = regexp.MustCompile(`^(\$\{[^}]+\}|\$[A-Za-z_][A-Za-z0-9_]*|\{(env|file):[^}]+\}|%[A-Za-z_][A-Za-z0-9_]*%)$`)
	sample     = regexp.MustCompile(`(?i)^(<.*>|\[.*\]|your[-_ ].*|.*[-_ ]here|x+|\*+|\.+|changeme|none|null|true|false|[0-9.]{1,6})$`)

	// tokenShape are forms that issuers gave their keys so that they can be found like this.
	tokenShape = regexp.MustCompile(`\b(` + strings.Join([]string{
		`sk-[A-Za-z0-9_-]{20,}`, // OpenAI, Anthropic and others
		`(sk|rk|pk)_(live|test)_[A-Za-z0-9]{16,}`,
		`gh[pousr]_[A-Za-z0-9]{30,}`, `github_pat_[A-Za-z0-9_]{30,}`,
		`glpat-[A-Za-z0-9_-]{18,}`,
		`xox[abeoprs]-[A-Za-z0-9-]{10,}`, // Slack
		`(AKIA|ASIA)[A-Z0-9]{16}`,        // AWS
		`AIza[A-Za-z0-9_-]{30,}`, `ya29\.[A-Za-z0-9_-]{20,}`,
		`hf_[A-Za-z0-9]{30,}`, `npm_[A-Za-z0-9]{30,}`, `pypi-[A-Za-z0-9_-]{30,}`,
		`ntn_[A-Za-z0-9]{30,}`, `secret_[A-Za-z0-9]{30,}`, // Notion
		`lin_api_[A-Za-z0-9]{20,}`, `figd_[A-Za-z0-9_-]{20,}`, `tvly-[A-Za-z0-9_-]{20,}`,
		`SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`,
		`eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`, // a signed web token
	}, "|") + `)|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/:@\s]+:[^/@\s$]+@`)
)

// secret says that a member called name with this value is a key in plain text.
func secret(name, value string) bool {
	for _, scheme := range []string{"Bearer ", "Basic ", "token ", "Token "} {
		value = strings.TrimPrefix(value, scheme)
	}
	value = strings.TrimSpace(value)
	if value == "" || reference.MatchString(value) || sample.MatchString(value) {
		return false
	}
	return tokenShape.MatchString(value) || secretName(name)
}

// secretWords make a name that of a key; harmless are last words of names that only speak of one.
var (
	secretWords = []string{"token", "key", "apikey", "secret", "password", "passwd", "pwd", "passphrase", "credential", "credentials", "authorization", "pat"}
	harmless    = []string{"path", "file", "dir", "name", "id", "url", "uri", "env", "var", "vars", "keys", "limit", "count", "type", "ttl", "timeout", "expiry"}
)

// secretName says that a name is that of a key, word by word: API_KEY, apiKey, x-api-key, but not
// MAX_TOKENS, KEYBOARD or SSH_KEY_PATH.
func secretName(name string) bool {
	words := wordsOf(name)
	if len(words) == 0 || slices.Contains(harmless, words[len(words)-1]) || slices.Contains(words, "public") {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) })
}

// wordsOf splits a name at everything that is no letter, and before a capital that follows a small one.
func wordsOf(name string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, strings.ToLower(word.String()))
		}
		word.Reset()
	}
	var last rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(last):
			flush()
			word.WriteRune(r)
		default:
			word.WriteRune(r)
		}
		last = r
	}
	flush()
	return words
}
