package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
)

// braveAPI is the API of Brave Search as the tests need it: the real paths and shapes, on this machine.
type braveAPI struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // path, question mark, decoded query
	keys  map[string]bool
	plan  []func(w http.ResponseWriter) // what happens to the next requests instead of an answer
}

const braveKey = "canary-9f27c4-token"

func newBraveAPI(t *testing.T) *braveAPI {
	t.Helper()
	b := &braveAPI{keys: map[string]bool{}}
	b.Server = httptest.NewTLSServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *braveAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	query, _ := url.QueryUnescape(r.URL.RawQuery)
	b.asked = append(b.asked, r.URL.Path+"?"+query)
	b.keys[r.Header.Get("X-Subscription-Token")] = true
	w.Header().Set("Content-Type", "application/json")
	if len(b.plan) > 0 {
		next := b.plan[0]
		b.plan = b.plan[1:]
		if next != nil {
			next(w)
			return
		}
	}
	q := r.URL.Query()
	file := map[string]string{"/res/v1/web/search": "web", "/res/v1/local/pois": "places", "/res/v1/local/descriptions": "descriptions"}[r.URL.Path]
	switch {
	case file == "":
		w.WriteHeader(http.StatusNotFound)
		return
	case q.Get("q") == "qqzzxx" || q.Get("result_filter") != "" && q.Get("q") != "coffee in Bergen":
		file = "empty"
	case q.Get("result_filter") == "locations":
		file = "locations"
	}
	b.write(w, file)
}

func (b *braveAPI) write(w http.ResponseWriter, file string) {
	raw, err := os.ReadFile("../../servlets/brave-search/testdata/" + file + ".json")
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(raw)
}

// answer is an error that the API answers with.
func (b *braveAPI) answer(status int, file string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		b.write(w, file)
	}
}

// network leads to the API whatever is asked for.
func (b *braveAPI) network() guard.Network {
	at := netip.MustParseAddrPort(b.Listener.Addr().(*net.TCPAddr).String())
	roots := x509.NewCertPool()
	roots.AddCert(b.Certificate())
	return guard.Network{Roots: roots, Loopback: []netip.AddrPort{at}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{at.Addr()}, nil
	}}
}

// installBrave builds servlets/brave-search for a site that the operator chooses, everything else being as
// it ships, and installs it with its key.
func installBrave(t *testing.T, b *braveAPI) (home string) {
	t.Helper()
	dir := t.TempDir()
	source, file := filepath.Join(dir, "brave-search"), filepath.Join(dir, "brave-search.wasm")
	if err := os.CopyFS(source, os.DirFS("../../servlets/brave-search")); err != nil {
		t.Fatal(err)
	}
	declaration := filepath.Join(source, "servlet.toml")
	raw, err := os.ReadFile(declaration)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(raw), `origin = "https://api.search.brave.com"`, `origin = "user"`, 1)
	if changed == string(raw) {
		t.Fatal("the servlet does not name the API")
	}
	if err := os.WriteFile(declaration, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	home = filepath.Join(dir, "home")
	if err := warm(home); err != nil {
		t.Fatal(err)
	}
	// The certificate of a test server is for example.com. These steps compile, which this process cannot.
	host := fmt.Sprintf("brave=https://example.com:%d", b.Listener.Addr().(*net.TCPAddr).Port)
	install := []string{"install", file, "--dev", "--host", host, "--tools", "*"}
	own(t, home, "build", source, "-o", file)
	_, digest, _ := strings.Cut(own(t, home, append(install, "--plan", "--json")...), `"digest": "`)
	digest, _, _ = strings.Cut(digest, `"`)
	own(t, home, append(install, "--approve", digest)...)
	for _, args := range [][]string{{"secret", "key", "use", "file"}, {"secret", "set", "brave-search", "BRAVE_API_KEY"}} {
		if _, said, status := typed(t, b.network(), home, braveKey+"\n", args...); status != exitOK {
			t.Fatal(said)
		}
	}
	return home
}

// own runs the real binary, which must succeed.
func own(t *testing.T, home string, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), built.writ, append([]string{"--home", home}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("writ %s: %v: %s", args[0], err, stderr.String())
	}
	return stdout.String()
}

func TestBraveSearch(t *testing.T) {
	b := newBraveAPI(t)
	home := installBrave(t, b)
	const oslo = "Title: Ferries on the Oslofjord & beyond\nDescription: The fjord ferry leaves at 9; it's free for children.\nAge: March 2, 2026\nURL: https://ferries.example/oslo\n\n" +
		"Title: Timetables\nDescription: All lines.\nURL: https://times.example/?line=3&day=mo\n"
	const bergen = "Name: Kaffe & Kake\nAddress: Torget 1, 5003 Bergen\nPhone: +47 55 00 00 00\nRating: 4.5 of 5 (231 reviews)\nPrice Range: $$\n" +
		"Hours: Mon 08:00-17:00, Tue 08:00-12:00, Tue 13:00-17:00\nCategories: cafe, bakery\nURL: https://kaffe.example\nDescription: A small café with cinnamon rolls.\n---\n" +
		"Name: Brygga\nAddress: Bryggen 2, Bergen, NO\nPhone: N/A\nRating: N/A\nPrice Range: N/A\nHours: N/A\nDescription: No description available\n"
	second := []string{"X-RateLimit-Remaining", "0, 1200", "X-RateLimit-Reset", "1, 900000"}
	rows := []struct {
		name, tool, arguments string
		plan                  []func(http.ResponseWriter)
		want                  string // the whole answer when it ends in a line end, else a part of it
		status                int
		asked                 []string
	}{
		{"the web", "web", `{"query":"fjord ferry"}`, nil, oslo, exitOK,
			[]string{"/res/v1/web/search?q=fjord ferry&count=10&offset=0&text_decorations=false"}},
		{"fewer, later, newer, elsewhere", "web", `{"query":"fjord & ferry","count":1,"offset":2,"freshness":"pw","country":"NO"}`, nil,
			"Title: Ferries on the Oslofjord & beyond", exitOK, []string{"/res/v1/web/search?q=fjord & ferry&count=1&offset=2&text_decorations=false&freshness=pw&country=NO"}},
		{"nothing found", "web", `{"query":"qqzzxx"}`, nil, "No results for \"qqzzxx\". Try other or fewer words.\n", exitOK, nil},
		{"no more", "web", `{"query":"qqzzxx","offset":9}`, nil, "No more results for \"qqzzxx\".\n", exitOK, nil},
		{"places", "local", `{"query":"coffee in Bergen"}`, nil, bergen, exitOK, []string{
			"/res/v1/web/search?q=coffee in Bergen&count=5&search_lang=en&result_filter=locations",
			"/res/v1/local/descriptions?ids=loc4AAAAAAAAAAAA=&ids=loc4BBBBBBBBBBBB=", "/res/v1/local/pois?ids=loc4AAAAAAAAAAAA=&ids=loc4BBBBBBBBBBBB="}},
		{"no places", "local", `{"query":"fjord ferry","count":2}`, nil, "No places were found, so this is from the web.\n\n" + oslo, exitOK, nil},
		{"one request in a second", "web", `{"query":"fjord ferry"}`, []func(http.ResponseWriter){b.answer(429, "limited", second...)}, oslo, exitOK, []string{"", ""}},
		{"a month's requests", "web", `{"query":"fjord ferry"}`, []func(http.ResponseWriter){b.answer(429, "limited", "X-RateLimit-Remaining", "1, 0", "X-RateLimit-Reset", "1, 36000")},
			"Brave Search takes no more requests on this key's plan now (429 RATE_LIMITED Request rate limit exceeded for plan.). Try again in 10 hours.", exitTool, []string{""}},
		{"a wrong key", "web", `{"query":"fjord ferry"}`, []func(http.ResponseWriter){b.answer(422, "invalid-key")},
			"Brave Search does not accept the API key (422 SUBSCRIPTION_TOKEN_INVALID The provided subscription token is invalid.). The operator can set another one: writ secret set brave-search BRAVE_API_KEY", exitTool, nil},
		{"no key", "web", `{"query":"fjord ferry"}`, []func(http.ResponseWriter){b.answer(401, "empty")}, "does not accept the API key (401)", exitTool, nil},
		{"places of another plan", "local", `{"query":"coffee in Bergen"}`, []func(http.ResponseWriter){b.answer(400, "plan")}, "The plan of the API key does not have this kind of search (400 OPTION_NOT_IN_PLAN", exitTool, nil},
		{"a failure", "web", `{"query":"fjord ferry"}`, []func(http.ResponseWriter){func(w http.ResponseWriter) { w.WriteHeader(503); fmt.Fprint(w, "<html>") }}, "Brave Search answered 503.", exitTool, nil},
		{"something else", "web", `{"query":"fjord ferry"}`, []func(http.ResponseWriter){func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }}, "Brave Search answered something that is no JSON: <html>", exitTool, nil},
		{"too many words", "web", `{"query":"` + strings.Repeat("a ", 51) + `"}`, nil, "the query has 51 words, and Brave Search takes 50: write fewer", exitTool, []string{}},
		{"no words", "web", `{"query":" "}`, nil, "the query is empty: write what to search for", exitTool, []string{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b.asked, b.plan = nil, row.plan
			out, said, status := typed(t, b.network(), home, "", "call", "brave-search_brave_"+row.tool+"_search", row.arguments)
			all := out + said
			if whole := strings.HasSuffix(row.want, "\n"); status != row.status || whole && all != row.want || !strings.Contains(all, row.want) {
				t.Errorf("status %d: %s\nwant %d: %s", status, all, row.status, row.want)
			}
			if strings.Contains(all, "canary") {
				t.Errorf("the answer tells the key: %s", all)
			}
			if row.asked == nil {
				return
			}
			if len(b.asked) != len(row.asked) {
				t.Fatalf("it asked for %q", b.asked)
			}
			for i, want := range row.asked { // the last two of three may come in any order
				if want != "" && want != b.asked[i] && (i == 0 || want != b.asked[len(b.asked)-i]) {
					t.Errorf("it asked for %q, want %q", b.asked[i], want)
				}
			}
		})
	}
	if len(b.keys) != 1 || !b.keys[braveKey] {
		t.Errorf("the API was sent the keys %v", b.keys)
	}
}
