package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	servlet "github.com/writ-run/writ/sdk/go"
)

type fetchInput struct {
	URL        string `json:"url" min:"1" max:"8192" description:"Full URL of the page, such as https://example.com/page"`
	MaxLength  int    `json:"max_length" default:"5000" min:"1" max:"999999" description:"Most characters to return"`
	StartIndex int    `json:"start_index" default:"0" min:"0" description:"Return the page from this character on; an answer that was cut names the next one"`
	Raw        bool   `json:"raw" default:"false" description:"Return the page as it is, without turning it into Markdown"`
}

// userAgent is how sites know this servlet. Its first part is the name that robots.txt files address.
const (
	robotName = "Writ-fetch"
	userAgent = robotName + "/" + version + " (+model request)"
)

func fetch(ctx context.Context, in fetchInput) (string, error) {
	u, err := parse(in.URL)
	if err != nil {
		return "", err
	}
	known := map[string]robots{}
	if err := permitted(ctx, known, u); err != nil {
		return "", err
	}
	page, err := get(ctx, u)
	if err != nil {
		return "", err
	}
	// A redirect leads to another page, whose own site decides.
	last, err := url.Parse(page.URL)
	if err != nil {
		return "", servlet.Errorf("%s led to a URL that is malformed", u)
	}
	if err := permitted(ctx, known, last); err != nil {
		return "", err
	}
	if !page.OK() {
		return "", refusal(page)
	}
	form, text, err := read(page, last, in.Raw)
	if err != nil {
		return "", err
	}
	return part(page.URL, form, text, in.StartIndex, in.MaxLength)
}

// parse reads a URL that a model wrote.
func parse(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, servlet.Errorf("%q is not a full URL of a web page: write it as https://example.com/page", text)
	}
	if u.User != nil {
		return nil, servlet.Errorf("https://%s has a user name or a password: pages are fetched without, as anybody", u.Host)
	}
	// Names in other scripts have a form in ASCII, which is the only one that servers and Writ know.
	if name := u.Hostname(); !ascii(name) {
		host, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return nil, servlet.Errorf("%q is not a host's name", name)
		}
		u.Host = host + strings.TrimPrefix(u.Host, name)
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

func ascii(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}

func get(ctx context.Context, u *url.URL) (servlet.Page, error) {
	page, err := servlet.FetchPage(ctx, servlet.PageRequest{URL: u.String(), Header: servlet.Header{
		"User-Agent": {userAgent},
		"Accept":     {"text/html, application/xhtml+xml, text/plain;q=0.9, application/json;q=0.9, application/xml;q=0.9, text/*;q=0.8, */*;q=0.1"},
	}})
	switch {
	case errors.Is(err, servlet.ErrDenied):
		return page, servlet.Errorf("%s may not be fetched: %w", u, root(err))
	case errors.Is(err, servlet.ErrLimit):
		return page, servlet.Errorf("%s was not fetched: %w", u, root(err))
	case err != nil:
		return page, servlet.Errorf("%s could not be fetched: %w", u, root(err))
	}
	return page, nil
}

// root is the host's own sentence, without what the SDK put before it.
func root(err error) error {
	if inner := errors.Unwrap(err); inner != nil && errors.Unwrap(inner) != nil {
		return inner
	}
	return err
}

// reasons are what the commonest statuses mean.
var reasons = map[int]string{
	401: "it wants a login, which this tool never sends", 403: "forbidden", 404: "there is no such page", 410: "the page is gone",
	429: "too many requests: try again later", 451: "unavailable for legal reasons", 500: "the server has an error",
	502: "the server has an error", 503: "the server is not available: try again later", 504: "the server took too long",
}

func refusal(page servlet.Page) error {
	text := fmt.Sprintf("%s answered with status %d", page.URL, page.Status)
	if reason := reasons[page.Status]; reason != "" {
		text += ": " + reason
	}
	return errors.New(text)
}

// maxPart is the most that one answer carries, in bytes before escapes. The result_kb of servlet.toml
// leaves room for it.
const maxPart = 512 << 10

// part cuts a text to what was asked for. Indexes count characters.
func part(where, form, text string, start, most int) (string, error) {
	runes := []rune(text)
	switch {
	case len(runes) == 0 && start == 0:
		return fmt.Sprintf("%s is empty (%s).", where, form), nil
	case start >= len(runes):
		return "", servlet.Errorf("start_index %d is past the end: the page has %d characters", start, len(runes))
	}
	end, size := start, 0
	for end < min(len(runes), start+most) && size+utf8.RuneLen(runes[end]) <= maxPart {
		size += utf8.RuneLen(runes[end])
		end++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Contents of %s (%s", where, form)
	if start > 0 || end < len(runes) {
		fmt.Fprintf(&b, ", characters %d to %d of %d", start, end, len(runes))
	}
	b.WriteString("):\n\n" + string(runes[start:end]))
	if end < len(runes) {
		fmt.Fprintf(&b, "\n\n[The page goes on: call fetch with start_index %d for the next part.]", end)
	}
	return b.String(), nil
}
