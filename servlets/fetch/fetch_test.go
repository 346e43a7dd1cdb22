package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/go/servlettest"
)

// site is a web of pages by URL. One without a robots.txt has none.
type site map[string]http.HandlerFunc

func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if page := s[r.URL.String()]; page != nil {
		page(w, r)
		return
	}
	http.NotFound(w, r)
}

func as(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		fmt.Fprint(w, body)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func to(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
}

// row is one call. want is the whole text; contains is a part of it.
type row struct {
	name, arguments, want, contains string
	isError                         bool
}

func check(t *testing.T, web http.Handler, rows []row) {
	t.Helper()
	s := servlettest.New(t, servlettest.Host{Web: web})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := s.Call("fetch", row.arguments)
			if text := r.Text(); row.contains == "" && text != row.want || !strings.Contains(text, row.contains) || r.IsError != row.isError {
				t.Errorf("error %v, got:\n%s\nwant:\n%s%s", r.IsError, text, row.want, row.contains)
			}
		})
	}
}

func TestFetch(t *testing.T) {
	check(t, site{
		"https://a.test/":       as("text/html", "<title>A</title><p>Hello <b>you</b>, see <a href='x?y'>this</a>."),
		"https://a.test/text":   as("text/plain; charset=utf-8", "0123456789é123456789"),
		"https://a.test/json":   as("application/ld+json", `{"a":1}`),
		"https://a.test/feed":   as("application/atom+xml", "<feed/>"),
		"https://a.test/none":   as("", "<!DOCTYPE html><p>no type"),
		"https://a.test/empty":  as("text/html", ""),
		"https://a.test/png":    as("image/png", "\x89PNG"),
		"https://a.test/zip":    as("", "PK\x00\x01"),
		"https://a.test/odd":    as("text/plain", "a\x00b"),
		"https://a.test/big":    as("text/html", "<p>"+strings.Repeat("x", maxMarkup)),
		"https://a.test/long":   as("text/plain", strings.Repeat("é", 600_000)),
		"https://a.test/busy":   status(503),
		"https://a.test/teapot": status(418),
		"https://a.test/moved":  to("https://b.test/new?x=1#part"),
		"https://a.test/home":   to("http://localhost/"),
		"https://a.test/loop":   to("/loop"),
		"https://b.test/new?x=1": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s %s", r.Method, r.UserAgent(), r.Header.Get("Cookie"))
		},
		"https://xn--bcher-kva.test/":          as("text/plain", "books"),
		"https://xn--bcher-kva.test:81/%C3%A9": as("text/plain", "more books"),
	}, []row{
		{name: "a page", arguments: `{"url":"https://a.test/"}`, want: "Contents of https://a.test/ (Markdown):\n\n# A\n\nHello **you**, see [this](https://a.test/x?y)."},
		{name: "a page as it is", arguments: `{"url":" https://a.test/#top ","raw":true}`, want: "Contents of https://a.test/ (text/html, as it is):\n\n<title>A</title><p>Hello <b>you</b>, see <a href='x?y'>this</a>."},
		{name: "text", arguments: `{"url":"https://a.test/text"}`, want: "Contents of https://a.test/text (text/plain, as it is):\n\n0123456789é123456789"},
		{name: "a first part", arguments: `{"url":"https://a.test/text","max_length":11}`,
			want: "Contents of https://a.test/text (text/plain, as it is, characters 0 to 11 of 20):\n\n0123456789é\n\n[The page goes on: call fetch with start_index 11 for the next part.]"},
		{name: "a last part", arguments: `{"url":"https://a.test/text","start_index":11}`,
			want: "Contents of https://a.test/text (text/plain, as it is, characters 11 to 20 of 20):\n\n123456789"},
		{name: "deny a part past the end", arguments: `{"url":"https://a.test/text","start_index":20}`, want: "start_index 20 is past the end: the page has 20 characters", isError: true},
		{name: "as much as one answer carries", arguments: `{"url":"https://a.test/long","max_length":999999}`, contains: "call fetch with start_index 262144 for"},
		{name: "JSON", arguments: `{"url":"https://a.test/json"}`, want: "Contents of https://a.test/json (application/ld+json, as it is):\n\n{\"a\":1}"},
		{name: "XML", arguments: `{"url":"https://a.test/feed"}`, contains: "<feed/>"},
		{name: "a page that does not say what it is", arguments: `{"url":"https://a.test/none"}`, contains: "(Markdown):\n\nno type"},
		{name: "nothing", arguments: `{"url":"https://a.test/empty"}`, want: "https://a.test/empty is empty (Markdown)."},
		{name: "after a redirect", arguments: `{"url":"https://a.test/moved"}`, want: "Contents of https://b.test/new?x=1 (text/plain, as it is):\n\nGET Writ-fetch/1.0.0 (+model request) "},
		{name: "a name in another script", arguments: `{"url":"https://Bücher.test"}`, contains: "books"},
		{name: "a name in another script, with a port", arguments: `{"url":"https://bücher.test:81/é"}`, contains: "more books"},
		{name: "deny a picture", arguments: `{"url":"https://a.test/png"}`, want: "https://a.test/png is image/png (4 bytes), not text: this tool returns text only", isError: true},
		{name: "deny an archive of no type", arguments: `{"url":"https://a.test/zip"}`, contains: "is application/octet-stream (4 bytes), not text", isError: true},
		{name: "deny what only claims to be text", arguments: `{"url":"https://a.test/odd"}`, want: "https://a.test/odd says that it is text/plain, but its bytes are not text", isError: true},
		{name: "deny too much HTML", arguments: `{"url":"https://a.test/big"}`, contains: "ask for it with raw", isError: true},
		{name: "deny no page", arguments: `{"url":"https://a.test/gone"}`, want: "https://a.test/gone answered with status 404: there is no such page", isError: true},
		{name: "deny a busy server", arguments: `{"url":"https://a.test/busy"}`, contains: "answered with status 503: the server is not available", isError: true},
		{name: "deny a status that means nothing", arguments: `{"url":"https://a.test/teapot"}`, want: "https://a.test/teapot answered with status 418", isError: true},
		{name: "deny an address inside", arguments: `{"url":"https://a.test/home"}`, contains: "https://a.test/home may not be fetched: only http and https pages of public hosts", isError: true},
		{name: "deny a circle", arguments: `{"url":"https://a.test/loop"}`, want: "https://a.test/loop could not be fetched: the server redirected too often", isError: true},
		{name: "deny another scheme", arguments: `{"url":"file:///etc/passwd"}`, want: `"file:///etc/passwd" is not a full URL of a web page: write it as https://example.com/page`, isError: true},
		{name: "deny no scheme", arguments: `{"url":"a.test/x"}`, contains: "is not a full URL", isError: true},
		{name: "deny a user name", arguments: `{"url":"https://ana:pass@a.test/"}`, want: "https://a.test has a user name or a password: pages are fetched without, as anybody", isError: true},
		{name: "deny a name that is none", arguments: `{"url":"https://-ü.test/"}`, contains: "is not a host's name", isError: true},
		{name: "deny nothing at all", arguments: `{}`, contains: "arguments.url: missing", isError: true},
		{name: "deny a length of nothing", arguments: `{"url":"https://a.test/","max_length":0}`, contains: "out of range", isError: true},
	})
	check(t, nil, []row{{name: "deny without a grant", arguments: `{"url":"https://a.test/"}`, want: "https://a.test/ was not fetched: the web is not granted", isError: true}})
}

func TestEncodings(t *testing.T) {
	const want = "Grüße, 日本"
	check(t, site{
		"https://a.test/header":   as("text/plain; charset=shift_jis", "\x93\xfa\x96\x7b"),
		"https://a.test/meta":     as("text/html", "<meta charset=iso-8859-1><p>Gr\xfc\xdfe"),
		"https://a.test/silent":   as("text/plain", "Gr\xfc\xdfe"),
		"https://a.test/utf8":     as("text/html", "<p>"+want),
		"https://a.test/bom":      as("text/plain", "\ufeff"+want),
		"https://a.test/utf16":    as("text/plain", "\xff\xfeG\x00r\x00"),
		"https://a.test/wrong":    as("text/plain; charset=utf-8", "Gr\xfc"),
		"https://a.test/unknown":  as("text/plain; charset=klingon", want),
		"https://a.test/badtype":  as("text/plain; charset", want),
		"https://a.test/xhtml":    as("application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><body><p>`+want),
		"https://a.test/declares": as("text/html; charset=windows-1251", "<meta charset=utf-8><p>\xcc\xe8\xf0"),
	}, []row{
		{name: "by the header", arguments: `{"url":"https://a.test/header"}`, contains: "\n日本"},
		{name: "by the meta element", arguments: `{"url":"https://a.test/meta"}`, contains: "\nGrüße"},
		{name: "by the bytes", arguments: `{"url":"https://a.test/silent"}`, contains: "\nGrüße"},
		{name: "UTF-8", arguments: `{"url":"https://a.test/utf8"}`, contains: "\n" + want},
		{name: "byte order mark", arguments: `{"url":"https://a.test/bom"}`, contains: "\n" + want},
		{name: "UTF-16", arguments: `{"url":"https://a.test/utf16"}`, contains: "\nGr"},
		{name: "not what it says", arguments: `{"url":"https://a.test/wrong"}`, contains: "\nGr\ufffd"},
		{name: "an encoding that nobody knows", arguments: `{"url":"https://a.test/unknown"}`, contains: want},
		{name: "a malformed type", arguments: `{"url":"https://a.test/badtype"}`, contains: want},
		{name: "XHTML", arguments: `{"url":"https://a.test/xhtml"}`, contains: "(Markdown):\n\n" + want},
		{name: "the header before the page", arguments: `{"url":"https://a.test/declares"}`, contains: "\nМир"},
	})
}

func TestTool(t *testing.T) {
	tools := servlettest.New(t, servlettest.Host{}).Tools()
	if len(tools) != 1 || tools[0].Name != "fetch" || !tools[0].Annotations["readOnlyHint"] {
		t.Fatalf("got %+v", tools)
	}
	for _, part := range []string{`"required":["url"]`, `"max_length":{"type":"integer"`, `"default":5000`, `"start_index":{"type":"integer"`, `"raw":{"type":"boolean"`} {
		if !strings.Contains(string(tools[0].InputSchema), part) {
			t.Errorf("the schema has no %s: %s", part, tools[0].InputSchema)
		}
	}
}
