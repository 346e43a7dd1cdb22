package guard_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

const value = "s3cr3t/+k3y&v=\"1\" {secret:OTHER}"

// safe is a store of secrets in memory.
type safe map[string]string

func (s safe) Secret(_ context.Context, key string) (capabilities.SecretValue, error) {
	if s[key] == "" {
		return capabilities.SecretValue{}, errors.New("not set")
	}
	return capabilities.NewSecretValue(s[key])
}

var bearer = capabilities.Auth{Type: "header", Name: "Authorization", Value: "Bearer {secret:KEY}"}

// signedIn grants u with auth as "api", the same origin without it as "open", and KEY.
func (u *upstream) signedIn(t testing.TB, auth capabilities.Auth, secrets guard.Secrets) (*guard.Guard, *journal) {
	t.Helper()
	j := &journal{}
	right, plain := u.right(), u.right()
	right.Auth = &auth
	return open(t, guard.Config{Recorder: j, Network: u.network, Secrets: secrets, Policy: capabilities.Policy{
		Rights: capabilities.Rights{
			HTTP:   map[string]capabilities.HTTPRight{"api": right, "open": plain},
			Secret: map[string]string{"KEY": capabilities.SecretEgress},
		},
		Limits: capabilities.Limits{HTTPCalls: 100},
	}}), j
}

func TestSecretsAreAttached(t *testing.T) {
	var got *http.Request
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	for intent, c := range map[string]struct {
		auth capabilities.Auth
		tell func() string
		want string
	}{
		"header": {bearer, func() string { return got.Header.Get("Authorization") }, "Bearer " + value},
		"query": {capabilities.Auth{Type: "query", Name: "api key", Value: "k-{secret:KEY}"},
			func() string { return got.URL.Query().Get("api key") + " " + got.URL.Query().Get("q") }, "k-" + value + " 1"},
		"basic": {capabilities.Auth{Type: "basic", User: "ana", Secret: "KEY"},
			func() string { u, p, _ := got.BasicAuth(); return u + ":" + p }, "ana:" + value},
	} {
		t.Run(intent, func(t *testing.T) {
			// A reference to another secret inside a value is a part of it.
			g, j := u.signedIn(t, c.auth, safe{"KEY": value, "OTHER": "the other"})
			req := get("/v1/x")
			req.Query = "q=1"
			if _, err := g.Fetch(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			if told := c.tell(); told != c.want {
				t.Errorf("sent %q, want %q", told, c.want)
			}
			e := j.events[len(j.events)-1]
			if e.Secret != "KEY" || strings.Contains(fmt.Sprintf("%+v", j.events), "s3cr3t") {
				t.Errorf("recorded %+v", e)
			}
			req.Capability = "open"
			if _, err := g.Fetch(t.Context(), req); err != nil || strings.Contains(fmt.Sprint(got.Header, got.URL), "s3cr3t") {
				t.Errorf("another grant of the same origin carries it: %v, %v", got.Header, err)
			}
			if e := j.events[len(j.events)-1]; e.Secret != "" {
				t.Errorf("recorded %+v", e)
			}
		})
	}
}

// A request that cannot have its secret is not sent without it.
func TestNothingIsSentWithoutItsSecret(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	for intent, c := range map[string]struct {
		auth    capabilities.Auth
		secrets guard.Secrets
	}{
		"no store":                      {bearer, nil},
		"not set":                       {bearer, safe{}},
		"not granted":                   {capabilities.Auth{Type: "basic", User: "a", Secret: "OTHER"}, safe{"KEY": "x", "OTHER": "y"}},
		"a header that cannot carry it": {bearer, safe{"KEY": "pässword"}},
		"a header that steers":          {capabilities.Auth{Type: "header", Name: "Host", Value: "{secret:KEY}"}, safe{"KEY": "evil.example"}},
		"a type that is not built":      {capabilities.Auth{Type: "hmac", Name: "X-Sig", Secret: "KEY"}, safe{"KEY": "x"}},
	} {
		t.Run(intent, func(t *testing.T) {
			g, j := u.signedIn(t, c.auth, c.secrets)
			if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Denied {
				t.Errorf("got %v", err)
			}
			if len(j.events) != 1 || j.events[0].Decision != "deny" {
				t.Errorf("recorded %+v", j.events)
			}
		})
	}
	if u.hits.Load() != 0 || u.lookups.Load() != 0 {
		t.Errorf("%d requests, %d lookups", u.hits.Load(), u.lookups.Load())
	}
}

func TestGuestCannotForgeWhatTheHostAttaches(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	field := func(name string) effect.HTTPRequest {
		r := get("/v1/x")
		r.Header = []effect.Header{{Name: name, Value: "mine"}}
		return r
	}
	query := func(text string) effect.HTTPRequest {
		r := get("/v1/x")
		r.Query = text
		return r
	}
	apiKey := capabilities.Auth{Type: "query", Name: "api_key", Value: "{secret:KEY}"}
	for intent, c := range map[string]struct {
		auth capabilities.Auth
		req  effect.HTTPRequest
	}{
		"header":                     {bearer, field("Authorization")},
		"header in another case":     {bearer, field("aUTHORIZATION")},
		"own header":                 {capabilities.Auth{Type: "header", Name: "X-Api-Key", Value: "{secret:KEY}"}, field("x-api-key")},
		"header of basic":            {capabilities.Auth{Type: "basic", User: "ana", Secret: "KEY"}, field("authorization")},
		"parameter":                  {apiKey, query("q=1&api_key=mine")},
		"parameter without value":    {apiKey, query("api_key")},
		"parameter in another case":  {apiKey, query("API_KEY=mine")},
		"parameter, encoded":         {apiKey, query("%61pi%5Fkey=mine")},
		"parameter behind semicolon": {apiKey, query("q=1;api_key=mine")},
		"parameter as array":         {apiKey, query("api_key[]=mine")},
		"parameter as encoded array": {apiKey, query("api_key%5B0%5D=mine")},
	} {
		t.Run(intent, func(t *testing.T) {
			g, _ := u.signedIn(t, c.auth, safe{"KEY": value})
			if _, err := g.Fetch(t.Context(), c.req); code(err) != effect.Denied {
				t.Errorf("got %v", err)
			}
		})
	}
	if u.hits.Load() != 0 {
		t.Errorf("%d requests", u.hits.Load())
	}
}

// Text of the guest is text: no reference in it is ever expanded.
func TestGuestTextStaysLiteral(t *testing.T) {
	var seen string
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = strings.Join([]string{r.URL.Path, r.URL.Query().Get("q"), r.Header.Get("X-A"), string(body)}, " ")
	})
	g, _ := u.signedIn(t, bearer, safe{"KEY": value})
	const ref = "{secret:KEY}"
	_, err := g.Fetch(t.Context(), effect.HTTPRequest{Capability: "api", Method: "POST", Path: "/v1/" + ref, Query: "q=" + url.QueryEscape(ref),
		Header: []effect.Header{{Name: "X-A", Value: ref}}, Body: []byte(ref)})
	if want := strings.Join([]string{"/v1/" + ref, ref, ref, ref}, " "); err != nil || seen != want {
		t.Errorf("sent %q, %v", seen, err)
	}
}

// A value that is replaced or removed is not sent by the next request of a call that runs.
func TestEachExchangeTakesTheValueOfItsTime(t *testing.T) {
	var got atomic.Value
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Get("Authorization")) })
	secrets := safe{"KEY": "the-first"}
	g, _ := u.signedIn(t, bearer, secrets)
	g.Fetch(t.Context(), get("/v1/x"))
	first := got.Load()
	secrets["KEY"] = "the-second"
	g.Fetch(t.Context(), get("/v1/x"))
	if first != "Bearer the-first" || got.Load() != "Bearer the-second" {
		t.Errorf("sent %v, then %v", first, got.Load())
	}
	delete(secrets, "KEY")
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Denied {
		t.Errorf("removed: %v", err)
	}
}

func TestSecretsAndRedirects(t *testing.T) {
	var foreign atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { foreign.Add(1) })
	var last string
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/v1/near": "/v1/end", "/v1/away": other.origin + "/v1/end",
			"/v1/echo": "/v1/" + url.PathEscape(r.URL.Query().Get("key")), "/v1/slash": "/v1/end?" + r.URL.RawQuery,
		}[r.URL.Path]
		if to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		last = r.URL.RawQuery + " " + r.Header.Get("Authorization")
	})
	u.network.Loopback = append(u.network.Loopback, other.at)
	key := capabilities.Auth{Type: "query", Name: "key", Value: "{secret:KEY}"}
	for _, c := range []struct {
		auth capabilities.Auth
		path string
		want effect.Code
		last string
	}{
		{bearer, "/v1/near", effect.OK, " Bearer k-12345678"},
		{bearer, "/v1/away", effect.Denied, ""},
		{key, "/v1/slash", effect.OK, "key=k-12345678 "},
		{key, "/v1/echo", effect.Denied, ""},
		{key, "/v1/away", effect.Denied, ""},
	} {
		last = ""
		g, j := u.signedIn(t, c.auth, safe{"KEY": "k-12345678"})
		if _, err := g.Fetch(t.Context(), get(c.path)); code(err) != c.want || last != c.last {
			t.Errorf("%s of %s: %v; the last request carried %q, want %q", c.path, c.auth.Type, err, last, c.last)
		}
		if strings.Contains(fmt.Sprint(j.lines()), "12345678") {
			t.Errorf("%s: recorded %q", c.path, j.lines())
		}
	}
	if foreign.Load() != 0 {
		t.Error("a redirect left the origin")
	}
}

// echoes are the ways in which servers repeat a value.
var echoes = map[string]func(v string) string{
	"raw":   func(v string) string { return v },
	"twice": func(v string) string { return v + v },
	"JSON":  func(v string) string { return fmt.Sprintf("%q", v) },
	"query": url.QueryEscape,
	"path":  url.PathEscape,
	"query, small": func(v string) string {
		return regexp.MustCompile("%..").ReplaceAllStringFunc(url.QueryEscape(v), strings.ToLower)
	},
	"hex":                func(v string) string { return hex.EncodeToString([]byte(v)) },
	"HEX":                func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
	"base64":             func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
	"base64, 1 before":   func(v string) string { return base64.StdEncoding.EncodeToString([]byte("x" + v + "yz")) },
	"base64, 2 before":   func(v string) string { return base64.StdEncoding.EncodeToString([]byte("xy" + v + "z")) },
	"base64, URL":        func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v + "\xff")) },
	"base64 in a header": func(v string) string { return base64.StdEncoding.EncodeToString([]byte("ana:" + v)) },
}

func TestEchoesAreMasked(t *testing.T) {
	const secret = "hunter2/hunter2+ä&<?>="
	for way, echo := range echoes {
		t.Run(way, func(t *testing.T) {
			text := echo(secret)
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body := "before|" + text + "|after"
				if strings.HasPrefix(r.URL.Path, "/v1/zip") {
					var b bytes.Buffer
					z := gzip.NewWriter(&b)
					z.Write([]byte(body))
					z.Close()
					w.Header().Set("Content-Encoding", "gzip")
					body = b.String()
				}
				if !strings.ContainsAny(text, "ä") {
					w.Header().Set("ETag", text)
				}
				io.WriteString(w, body)
			})
			g, _ := u.signedIn(t, capabilities.Auth{Type: "basic", User: "ana", Secret: "KEY"}, safe{"KEY": secret})
			for _, path := range []string{"/v1/x", "/v1/zip"} {
				for _, id := range []string{"api", "open"} { // what was sent before is masked in every later answer
					req := get(path)
					req.Capability = id
					resp, err := g.Fetch(t.Context(), req)
					if err != nil {
						t.Fatal(err)
					}
					if body := string(resp.Body); strings.Contains(body, text) || !strings.HasPrefix(body, "before|") || !strings.HasSuffix(body, "|after") || !strings.Contains(body, "[secret]") {
						t.Errorf("%s of %s: the guest gets %q", path, id, body)
					}
					for _, h := range resp.Header {
						if h.Name == "etag" && (h.Value == text || !strings.Contains(h.Value, "[secret]")) {
							t.Errorf("the guest gets %s: %s", h.Name, h.Value)
						}
					}
				}
			}
		})
	}
}

// The control of the test above: a guard that has sent no secret hands on every one of these texts.
func TestNothingElseIsMasked(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hunter2/hunter2+") })
	g, _ := u.signedIn(t, bearer, safe{"KEY": "hunter2/hunter2+"})
	req := get("/v1/x")
	req.Capability = "open"
	resp, err := g.Fetch(t.Context(), req)
	if err != nil || string(resp.Body) != "hunter2/hunter2+" {
		t.Errorf("got %q, %v", resp.Body, err)
	}
	resp, err = g.Fetch(t.Context(), get("/v1/x"))
	if err != nil || string(resp.Body) != "[secret]" {
		t.Errorf("got %q, %v", resp.Body, err)
	}
}
