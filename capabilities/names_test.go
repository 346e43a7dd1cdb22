package capabilities_test

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

func TestToolName(t *testing.T) {
	for _, c := range []struct{ alias, tool, want string }{
		{"files", "read_file", "files_read_file"},
		{"a", "b", "a_b"},
		{"0-x", "b", "0-x_b"},
		{strings.Repeat("a", 24), strings.Repeat("b", 39), strings.Repeat("a", 24) + "_" + strings.Repeat("b", 39)},
	} {
		if got, err := capabilities.ToolName(c.alias, c.tool); got != c.want || err != nil {
			t.Errorf("ToolName(%q, %q) = %q, %v", c.alias, c.tool, got, err)
		}
	}
	for _, c := range []struct{ name, alias, tool string }{
		{"longer than clients accept", strings.Repeat("a", 24), strings.Repeat("b", 40)},
		{"no alias", "", "b"},
		{"alias that reads as a flag", "-a", "b"},
		{"alias with the separator", "a_b", "c"},
		{"alias with a dot", "a.b", "c"},
		{"alias in capitals", "A", "b"},
		{"alias too long", strings.Repeat("a", 25), "b"},
		{"alias with a line break", "a\n", "b"},
		{"no tool", "a", ""},
		{"tool in capitals", "a", "Read"},
		{"tool with a Cyrillic letter", "a", "re\u0430d"},
		{"tool that starts with a digit", "a", "1b"},
		{"tool with a line break", "a", "b\n"},
	} {
		if got, err := capabilities.ToolName(c.alias, c.tool); err == nil {
			t.Errorf("%s: accepted as %q", c.name, got)
		}
	}
}

func TestAliasForAName(t *testing.T) {
	for name, want := range map[string]string{
		"filesystem":                                "filesystem",
		"acme/weather":                              "weather",
		"acme/" + strings.Repeat("a", 30):           strings.Repeat("a", 24),
		"acme/" + strings.Repeat("a", 23) + "-tail": strings.Repeat("a", 23),
		"":              "",
		"Acme/Weather":  "",
		"a/b/c":         "",
		"../etc/passwd": "",
	} {
		got := capabilities.AliasFor(name)
		if got != want {
			t.Errorf("AliasFor(%q) = %q, want %q", name, got, want)
		}
		if got != "" && capabilities.ValidAlias(got) != nil {
			t.Errorf("AliasFor(%q) = %q, which is no alias", name, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	for in, want := range map[string]string{
		"https://api.acme.test":             "https://api.acme.test",
		"https://API.Acme.Test:443":         "https://api.acme.test",
		"https://api.acme.test:8443":        "https://api.acme.test:8443",
		"https://xn--bcher-kva.example":     "https://xn--bcher-kva.example",
		"https://r3---sn-4g5e.example.test": "https://r3---sn-4g5e.example.test",
		"https://1.example.test":            "https://1.example.test",
	} {
		if got, err := capabilities.ParseOrigin(in); got != want || err != nil {
			t.Errorf("ParseOrigin(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for name, in := range map[string]string{
		"plain http":                   "http://api.acme.test",
		"other scheme":                 "ftp://api.acme.test",
		"no scheme":                    "api.acme.test",
		"user":                         "user",
		"user name":                    "https://api.acme.test@evil.test",
		"user name and password":       "https://a:b@evil.test",
		"path":                         "https://api.acme.test/",
		"query":                        "https://api.acme.test?x",
		"fragment":                     "https://api.acme.test#x",
		"backslash":                    `https://api.acme.test\.evil.test`,
		"trailing dot":                 "https://api.acme.test.",
		"empty label":                  "https://api..test",
		"empty host":                   "https://",
		"empty port":                   "https://api.acme.test:",
		"port 0":                       "https://api.acme.test:0",
		"port with a zero":             "https://api.acme.test:0443",
		"port with a sign":             "https://api.acme.test:+443",
		"port too large":               "https://api.acme.test:65536",
		"port range":                   "https://api.acme.test:1-9",
		"two ports":                    "https://api.acme.test:1:2",
		"any host":                     "https://*",
		"wildcard":                     "https://*.acme.test",
		"public suffix wildcard":       "https://*.co.uk",
		"wildcard inside":              "https://a*.acme.test",
		"one label":                    "https://intranet",
		"localhost":                    "https://localhost",
		"name below localhost":         "https://a.localhost",
		"localdomain":                  "https://localhost.localdomain",
		"IPv4":                         "https://127.0.0.1",
		"IPv4 with two parts":          "https://127.1",
		"IPv4 as one number":           "https://2130706433",
		"IPv4 in hex":                  "https://0x7f.1",
		"IPv4 ending in hex":           "https://1.0x7f",
		"IPv4 ending in bare 0x":       "https://1.0x",
		"IPv4 in octal":                "https://0177.0.0.01",
		"IPv4 metadata":                "https://169.254.169.254",
		"IPv6":                         "https://[::1]",
		"IPv6 with port":               "https://[::1]:443",
		"IPv6 with zone":               "https://[fe80::1%25eth0]",
		"ideographic full stops":       "https://127。0。0。1",
		"full-width digits":            "https://１２７.0.0.1",
		"circled digits":               "https://①②⑦.0.0.1",
		"Cyrillic letter":              "https://\u0430pi.acme.test",
		"Kelvin sign that lower-cases": "https://ap\u212a.acme.test",
		"line break":                   "https://api.acme.test\n",
		"space":                        "https://api.acme.test ",
		"percent":                      "https://api%2eacme.test",
		"underscore":                   "https://a_b.acme.test",
		"hyphen at an end":             "https://-a.acme.test",
		"label too long":               "https://" + strings.Repeat("a", 64) + ".test",
		"name too long":                "https://" + strings.Repeat("a.", 127) + "test",
	} {
		if got, err := capabilities.ParseOrigin(in); err == nil {
			t.Errorf("%s: %q accepted as %q", name, in, got)
		}
	}
}

func TestPathsMatchWholeSegments(t *testing.T) {
	for _, c := range []struct {
		allowed, path string
		want          bool
	}{
		{"/v1/", "/v1/users", true},
		{"/v1/", "/v1/users/7", true},
		{"/v1/", "/v1/", true},
		{"/", "/", true},
		{"/", "/anything", true},
		{"/v1", "/v1", true},
		{"/v1/", "/v1", false},
		{"/v1", "/v1/", false},
		{"/v1", "/v1/users", false},
		{"/v1", "/v10", false},
		{"/v1/", "/v10/users", false},
		{"/v1/", "/V1/users", false},
		{"/v1/", "/v1/../admin", false},
		{"/v1/", "/v1/./x", false},
		{"/v1/", "/v1//x", false},
		{"/v1/", "/v1/%2e%2e/admin", false},
		{"/v1/", "/v1/%2fadmin", false},
		{"/v1/", `/v1/..\admin`, false},
		{"/v1/", "/v1/x;y", false},
		{"/v1/", "/v1/x?y", false},
		{"/v1/", "/v1/x#y", false},
		{"/v1/", "/v1/x\r\ny", false},
		{"/v1/", "//v1/x", false},
		{"/", "", false},
		{"", "/", false},
		{"/v1/*", "/v1/x", false},
	} {
		if got := capabilities.PathCovers(c.allowed, c.path); got != c.want {
			t.Errorf("PathCovers(%q, %q) = %v", c.allowed, c.path, got)
		}
	}
}
