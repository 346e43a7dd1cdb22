package main

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	servlet "github.com/writ-run/writ/sdk/go"
)

// Any bytes of any type are text in UTF-8, or refused in words.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"<p>a<table><td>b", "\xff\xfea\x00", "<meta charset=utf-16><p>x", "<svg><p><math></svg>", "<a href='%zz'>", "<base href='::'><img src=data:x>",
		"<pre>\n```\n</pre>", "<ul><li><ol><li><blockquote><h1>", "\x1b$B\x00", "<template><p hidden>", "<!doctype html><body hidden>x",
	} {
		f.Add([]byte(s), "text/html")
		f.Add([]byte(s), "text/plain; charset=iso-2022-jp")
	}
	where := &url.URL{Scheme: "https", Host: "a.test", Path: "/"}
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		if len(body) > 64<<10 {
			return
		}
		for _, raw := range []bool{false, true} {
			page := servlet.Page{URL: where.String(), Response: servlet.Response{Status: 200, Header: servlet.Header{"content-type": {kind}}, Body: body}}
			form, text, err := read(page, where, raw)
			if err == nil && (!utf8.ValidString(text) || strings.Contains(text, "\x00") || form == "") {
				t.Fatalf("%s: %q", form, text)
			}
			if err != nil && !strings.Contains(err.Error(), page.URL) {
				t.Fatalf("an error that names no page: %v", err)
			}
		}
	})
}
