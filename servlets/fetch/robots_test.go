package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRobots(t *testing.T) {
	big := strings.Repeat("# "+strings.Repeat("x", 1021)+"\n", 512) // more than is read
	for name, c := range map[string]struct{ robots, path, verdict string }{
		"nothing":                          {"", "/a", "allow"},
		"no rules":                         {"User-agent: *\nDisallow:\n", "/a", "allow"},
		"everything":                       {"User-agent: *\nDisallow: /\n", "/a", "deny"},
		"everything, without a path":       {"User-agent: *\nDisallow: /\n", "", "deny"},
		"another name":                     {"User-agent: OtherBot\nDisallow: /\n", "/a", "allow"},
		"a longer name":                    {"User-agent: Writ-fetcher\nDisallow: /\n", "/a", "allow"},
		"my name":                          {"User-agent: writ-FETCH\nDisallow: /a\n", "/a", "deny"},
		"my name with a version":           {"User-agent: Writ-fetch/1.0\nDisallow: /a\n", "/a", "deny"},
		"my name before everybody":         {"User-agent: *\nDisallow: /\n\nUser-agent: Writ-fetch\nDisallow: /b\n", "/a", "allow"},
		"my name, after a group of others": {"User-agent: x\nUser-agent: Writ-fetch\nUser-agent: y\nDisallow: /a\n", "/a", "deny"},
		"two groups of mine":               {"User-agent: Writ-fetch\nDisallow: /x\nUser-agent: z\nDisallow: /\nUser-agent: Writ-fetch\nDisallow: /a\n", "/a", "deny"},
		"mine, and no rule in it":          {"User-agent: *\nDisallow: /\nUser-agent: Writ-fetch\n", "/a", "allow"},
		"a rule of nobody":                 {"Disallow: /\nUser-agent: x\nDisallow: /b", "/a", "allow"},
		"the longest rule":                 {"User-agent: *\nDisallow: /a\nAllow: /a/b\n", "/a/b/c", "allow"},
		"the longest rule forbids":         {"User-agent: *\nAllow: /a\nDisallow: /a/b\n", "/a/b/c", "deny"},
		"of two the one that allows":       {"User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", "allow"},
		"by prefix":                        {"User-agent: *\nDisallow: /fish\n", "/fishing", "deny"},
		"case counts in paths":             {"User-agent: *\nDisallow: /Fish\n", "/fish", "allow"},
		"a star":                           {"User-agent: *\nDisallow: /a/*/c\n", "/a/b/x/c/d", "deny"},
		"a star that does not match":       {"User-agent: *\nDisallow: /a/*/c\n", "/a/c", "allow"},
		"an end":                           {"User-agent: *\nDisallow: /*.php$\n", "/x.php", "deny"},
		"an end that is none":              {"User-agent: *\nDisallow: /*.php$\n", "/x.php?y", "allow"},
		"an end after a repeated piece":    {"User-agent: *\nDisallow: /*a$\n", "/aba", "deny"},
		"an end without a star":            {"User-agent: *\nDisallow: /a$\n", "/ab", "allow"},
		"a query":                          {"User-agent: *\nDisallow: /*?q=\n", "/s?q=1", "deny"},
		"escapes in two spellings":         {"User-agent: *\nDisallow: /%61/caf%c3%a9\n", "/a/café", "deny"},
		"other scripts as they are":        {"User-agent: *\nDisallow: /café\n", "/caf%C3%A9", "deny"},
		"comments and spaces":              {" user-agent : * # all\r\n  DISALLOW:\t/a#b\r", "/a", "deny"},
		"lines that mean something else":   {"Sitemap: https://a.test/s\nUser-agent: *\nCrawl-delay: 3\nDisallow: /a", "/a", "deny"},
		"a byte order mark":                {"\ufeffUser-agent: *\nDisallow: /", "/a", "deny"},
		"the rules' own file":              {"User-agent: *\nDisallow: /", "/robots.txt", "allow"},
		"what is past the limit":           {big + "User-agent: *\nDisallow: /", "/a", "allow"},
		"what is before the limit":         {"User-agent: *\nDisallow: /\n" + big, "/a", "deny"},
		"a page, not rules":                {"<!doctype html><p>User-agent: none", "/a", "allow"},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse("https://a.test" + c.path)
			if err != nil {
				t.Fatal(err)
			}
			if got := parseRobots([]byte(c.robots)).allows(u); got != (c.verdict == "allow") {
				t.Errorf("allowed: %v", got)
			}
		})
	}
}

func TestRobotsAreRespected(t *testing.T) {
	page := as("text/plain", "the page")
	forbidden := as("text/plain", "User-agent: *\nDisallow: /")
	asked := 0
	check(t, site{
		"https://no.test/robots.txt": forbidden, "https://no.test/x": page,
		"https://some.test/robots.txt": as("text/plain", "User-agent: Writ-fetch\nDisallow: /private/\nAllow: /"), "https://some.test/x": page, "https://some.test/private/x": page,
		"https://some.test/go": to("/private/x"), "https://none.test/x": page,
		"https://login.test/robots.txt": status(401), "https://login.test/x": page,
		"https://down.test/robots.txt": status(500), "https://down.test/x": page,
		"https://busy.test/robots.txt": status(429), "https://busy.test/x": page,
		"https://loop.test/robots.txt": to("/robots.txt"), "https://loop.test/x": page,
		"https://moved.test/robots.txt": to("https://no.test/robots.txt"), "https://moved.test/x": page,
		"https://none.test/away": to("https://no.test/x"), "http://no.test:8080/x": page,
		"https://once.test/robots.txt": func(w http.ResponseWriter, r *http.Request) { asked++ }, "https://once.test/a": to("/b"), "https://once.test/b": page,
	}, []row{
		{name: "deny all", arguments: `{"url":"https://no.test/x"}`, isError: true,
			want: "https://no.test/x was not fetched: the site's robots.txt forbids it to automatic readers such as Writ-fetch"},
		{name: "deny a part", arguments: `{"url":"https://some.test/private/x","raw":true}`, contains: "robots.txt forbids it", isError: true},
		{name: "deny what a redirect leads to", arguments: `{"url":"https://some.test/go"}`, contains: "https://some.test/private/x was not fetched", isError: true},
		{name: "deny what a redirect leads to elsewhere", arguments: `{"url":"https://none.test/away"}`, contains: "https://no.test/x was not fetched", isError: true},
		{name: "allow the rest", arguments: `{"url":"https://some.test/x"}`, contains: "the page"},
		{name: "allow without rules", arguments: `{"url":"https://none.test/x"}`, contains: "the page"},
		{name: "allow when the rules are not for us", arguments: `{"url":"https://login.test/x"}`, contains: "the page"},
		{name: "allow another port, which is another site", arguments: `{"url":"http://no.test:8080/x"}`, contains: "the page"},
		{name: "deny while the rules are not known", arguments: `{"url":"https://down.test/x"}`, isError: true,
			want: "https://down.test/x was not fetched: its site's robots.txt could not be read (https://down.test/robots.txt answered with status 500: the server has an error), " +
				"and until it can everything there counts as forbidden"},
		{name: "deny while the server is busy", arguments: `{"url":"https://busy.test/x"}`, contains: "counts as forbidden", isError: true},
		{name: "deny while the rules cannot be reached", arguments: `{"url":"https://loop.test/x"}`, contains: "could not be read (the server redirected too often)", isError: true},
		{name: "deny by rules that have moved", arguments: `{"url":"https://moved.test/x"}`, contains: "robots.txt forbids it", isError: true},
		{name: "allow what asks once", arguments: `{"url":"https://once.test/a"}`, contains: "the page"},
	})
	if asked != 1 {
		t.Errorf("one site was asked for its rules %d times", asked)
	}
}

// Any bytes are read, and what one reading forbids another does too.
func FuzzRobots(f *testing.F) {
	for _, s := range []string{"User-agent: *\nDisallow: /a*b$\nAllow: /", "user-agent:writ-fetch\rdisallow:%2f%", "::\n#\n*", "User-agent: *\nDisallow: " + strings.Repeat("*a", 200)} {
		f.Add([]byte(s), "/aab?x")
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		u, err := url.Parse("https://a.test/" + path)
		if err != nil {
			return
		}
		r := parseRobots(body)
		if first, again := r.allows(u), parseRobots(append([]byte("# x\n"), body...)).allows(u); first != again && len(body) < maxRobots-10 && !strings.HasPrefix(string(body), "\ufeff") {
			t.Fatalf("allowed: %v, and after a comment %v", first, again)
		}
		for _, one := range r.rules {
			if normal(one.pattern) != one.pattern || !utf8.ValidString(one.pattern) {
				t.Fatalf("pattern %q is not in its one spelling", one.pattern)
			}
			// A pattern matches itself where its signs stand for themselves.
			if plain := strings.NewReplacer("*", "", "$", "").Replace(one.pattern); !strings.Contains(one.pattern, "$") && !matches(one.pattern, plain) {
				t.Fatalf("%q does not match %q", one.pattern, plain)
			}
		}
	})
}
