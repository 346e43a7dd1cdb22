package main

import (
	"bytes"
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"

	servlet "github.com/writ-run/writ/sdk/go"
)

// maxMarkup bounds the HTML that is turned into Markdown, in bytes: its tree is many times as large.
const maxMarkup = 4 << 20

// read turns a page into text and says what the text is.
func read(page servlet.Page, where *url.URL, raw bool) (form, text string, err error) {
	header := page.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		kind = strings.ToLower(strings.TrimSpace(strings.Split(header, ";")[0]))
	}
	if kind == "" {
		kind = guess(page.Body)
	}
	if !textual(kind) {
		return "", "", servlet.Errorf("%s is %s (%d bytes), not text: this tool returns text only", page.URL, kind, len(page.Body))
	}
	text, ok := decode(page.Body, kind, header)
	if !ok {
		return "", "", servlet.Errorf("%s says that it is %s, but its bytes are not text", page.URL, kind)
	}
	if !markup(kind) || raw {
		return kind + ", as it is", text, nil
	}
	if len(text) > maxMarkup {
		return "", "", servlet.Errorf("%s has %d bytes of HTML and Markdown is made of at most %d: ask for it with raw", page.URL, len(text), maxMarkup)
	}
	if text, err = markdown(text, where); err != nil {
		return "", "", servlet.Errorf("%s could not be turned into Markdown: ask for it with raw", page.URL)
	}
	return "Markdown", text, nil
}

func markup(kind string) bool { return kind == "text/html" || kind == "application/xhtml+xml" }

// textual says that a media type is text.
func textual(kind string) bool {
	if strings.HasPrefix(kind, "text/") {
		return true
	}
	if ok, _ := path.Match("application/*+[jxy]*", kind); ok {
		return strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+yaml")
	}
	switch kind {
	case "application/json", "application/xml", "application/javascript", "application/ecmascript", "application/yaml", "application/x-yaml",
		"application/toml", "application/sql", "application/x-sh", "application/x-ndjson", "application/jsonl", "application/graphql",
		"application/x-www-form-urlencoded", "application/rtf", "image/svg+xml", "message/rfc822":
		return true
	}
	return false
}

// guess is the media type of a page that has none.
func guess(body []byte) string {
	start := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), 512)]))
	switch {
	case bytes.HasPrefix(start, []byte("<!doctype html")), bytes.HasPrefix(start, []byte("<html")):
		return "text/html"
	case bytes.IndexByte(body, 0) >= 0 || !utf8.Valid(body):
		return "application/octet-stream"
	}
	return "text/plain"
}

// decode makes UTF-8 of a body, by its byte order mark, its header, its meta element or, failing
// these, what its first bytes look like. It is false for what is not text in that encoding.
func decode(body []byte, kind, header string) (string, bool) {
	if len(body) == 0 {
		return "", true
	}
	var e encoding.Encoding
	if markup(kind) || strings.Contains(strings.ToLower(header), "charset") || bytes.HasPrefix(body, []byte("\xff\xfe")) || bytes.HasPrefix(body, []byte("\xfe\xff")) {
		e, _, _ = charset.DetermineEncoding(body, header)
	} else if !utf8.Valid(body) {
		e, _ = charset.Lookup("windows-1252")
	}
	if e != nil {
		decoded, err := e.NewDecoder().Bytes(body)
		if err != nil {
			return "", false
		}
		body = decoded
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if bytes.IndexByte(body, 0) >= 0 {
		return "", false
	}
	return strings.ToValidUTF8(string(body), "\ufffd"), true
}
