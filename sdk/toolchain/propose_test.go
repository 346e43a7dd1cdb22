package toolchain_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/sdk/toolchain"
)

// asking is a manifest with these tools.
func asking(c capabilities.Capabilities, tools ...string) capabilities.Manifest {
	m := capabilities.Manifest{Schema: capabilities.Schema, Name: "acme/tools", Version: "1.0.0", Capabilities: c}
	for _, tool := range tools {
		m.Tools = append(m.Tools, json.RawMessage(fmt.Sprintf(`{"name":%q,"description":"x","inputSchema":{"type":"object"}}`, tool)))
	}
	return m
}

// event reads "kind action target", with a "!" before what was refused.
func event(text string) guard.Event {
	rest, denied := strings.CutPrefix(text, "!")
	words := strings.SplitN(rest, " ", 3)
	e := guard.Event{Kind: words[0], Action: words[1], Target: words[2], Decision: "allow"}
	if denied {
		e.Decision, e.Reason = "deny", "not granted"
	}
	return e
}

func TestProposal(t *testing.T) {
	weather := capabilities.Capabilities{
		HTTP: []capabilities.HTTP{
			{ID: "api", Origin: "https://api.acme.test", Methods: []string{"GET", "POST"}, Paths: []string{"/v1/", "/v2/"}, Why: "forecasts",
				Auth: &capabilities.Auth{Type: "header", Name: "Authorization", Value: "Bearer {secret:API_KEY}"}},
			{ID: "unused", Origin: "https://unused.acme.test", Methods: []string{"GET"}, Paths: []string{"/"}},
		},
		FS:      []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: capabilities.ModeFull, Why: "notes"}},
		Config:  []capabilities.Config{{Key: "UNITS", Default: "metric", Why: "units"}},
		Secrets: []capabilities.Secret{{Key: "API_KEY", Use: "egress", Why: "your account"}, {Key: "OTHER", Use: "egress"}},
	}
	many := []string{"!web GET https://api.acme.test/v1/one", "!web GET https://api.acme.test/v1/two", "!web GET https://api.acme.test/v1/three"}
	for name, c := range map[string]struct {
		m     capabilities.Manifest
		byURL bool
		calls map[string][]string
		want  string // lines without comments
	}{
		"no calls": {m: asking(weather, "a"), want: ""},
		"calls that need nothing": {
			m: asking(weather, "a"), calls: map[string][]string{"a": nil}, want: "",
		},
		"what is declared keeps its shape and loses what nothing used": {
			m:     asking(weather, "a", "b"),
			calls: map[string][]string{"a": {"http GET api:/v1/x", "config get UNITS"}, "b": {"fs open docs:/docs/a.txt", "fs list docs:/docs"}},
			want: `[[capabilities.http]]
id = "api"
origin = "https://api.acme.test"
methods = ["GET"]
paths = ["/v1/"]
auth = { type = "header", name = "Authorization", value = "Bearer {secret:API_KEY}" }
why = "forecasts"
[[capabilities.fs]]
id = "docs"
guest = "/docs"
mode = "ro"
why = "notes"
[[capabilities.config]]
key = "UNITS"
default = "metric"
why = "units"
[[capabilities.secrets]]
key = "API_KEY"
use = "egress"
why = "your account"
[uses]
a = ["config:UNITS", "http:api"]
b = ["fs:docs"]
`},
		"a tool that reads is narrowed beside one that writes": {
			m: asking(capabilities.Capabilities{}, "r", "w"),
			calls: map[string][]string{
				"r": {"!fs open /notes/a.txt", "!kv get key", "!http GET api:/v1/a"},
				"w": {"!fs create /notes/b.txt", "!kv set key", "!http POST api:/v1/b"},
			},
			want: `[[capabilities.http]]
id = "api"
origin = "user" # the operator chooses the site, with --host; write it here if it is always the same
methods = ["GET", "POST"]
paths = ["/v1/a", "/v1/b"]
[[capabilities.fs]]
id = "notes"
guest = "/notes"
mode = "rw"
[capabilities.kv]
quota_kb = 64
scope = "caller"
[uses]
r = ["fs:notes:ro", "http:api:ro", "kv:ro"]
w = ["fs:notes", "http:api", "kv"]
`},
		"code that names sites by URL gets a site, and many paths a folder": {
			m: asking(capabilities.Capabilities{}, "a"), byURL: true, calls: map[string][]string{"a": many},
			want: `[[capabilities.http]]
id = "api-acme-test"
origin = "https://api.acme.test"
methods = ["GET"]
paths = ["/v1/"]
[uses]
a = ["http:api-acme-test"]
`},
		"code that asks for pages gets pages": {
			m: asking(capabilities.Capabilities{}, "a"), calls: map[string][]string{"a": many},
			want: `[capabilities.web]
methods = ["GET"]
[uses]
a = ["web"]
`},
		"what no manifest can request is left out": {
			m: asking(capabilities.Capabilities{}, "a"), byURL: true,
			calls: map[string][]string{"a": {
				"!web GET http://localhost:8080/", "!web GET https://127.0.0.1/", "!web POST https://printer.local/",
				"!fs open /../etc/passwd", "!fs list /", "!config get lower", "!http GET api:/v1/%2e%2e/x", "http redirect api:/v1/x",
			}},
			want: "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s toolchain.Session
			for tool, texts := range c.calls {
				var events []guard.Event
				for _, text := range texts {
					events = append(events, event(text))
				}
				s.Add(tool, events)
			}
			got, err := s.Propose(c.m, c.byURL)
			if err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			var lines strings.Builder
			for line := range strings.Lines(got) {
				if line != "\n" && !strings.HasPrefix(line, "#") {
					lines.WriteString(line)
				}
			}
			if lines.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A guest chooses its paths, with a ":/" in them if it likes.
func TestProposalsOfOddPaths(t *testing.T) {
	var s toolchain.Session
	s.Add("a", []guard.Event{event("!fs open /notes/a:/b")})
	got, err := s.Propose(asking(capabilities.Capabilities{}, "a"), true)
	if err != nil || !strings.Contains(got, "\nguest = \"/notes\"\n") {
		t.Errorf("%v\n%s", err, got)
	}
}

// A comment is one line, whatever a guest asked for.
func TestProposalsCommentsAreNoCode(t *testing.T) {
	var s toolchain.Session
	s.Add("a", []guard.Event{{Kind: "config", Action: "get", Target: "KEY\n[capabilities.web]", Decision: "deny"}})
	got, err := s.Propose(asking(capabilities.Capabilities{}, "a"), true)
	if err != nil || strings.Contains(got, "\n[capabilities.web]") {
		t.Errorf("%v\n%s", err, got)
	}
}
