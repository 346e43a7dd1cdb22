package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"

	servlet "github.com/writ-run/writ/sdk/go"
)

// maxRobots is how much of a robots.txt is read, in bytes. Source: RFC 9309, section 2.5.
const maxRobots = 500 << 10

// robots are the rules of one site for this servlet. Source: RFC 9309.
type robots struct {
	rules       []rule
	unreachable string // why everything is forbidden; empty: the rules hold
}

type rule struct {
	allow   bool
	pattern string
}

// permitted asks the site of u for its rules, each site once, and refuses a page that they forbid.
func permitted(ctx context.Context, known map[string]robots, u *url.URL) error {
	site := u.Scheme + "://" + u.Host
	r, ok := known[site]
	if !ok {
		var err error
		if r, err = ask(ctx, u, site); err != nil {
			return err
		}
		known[site] = r
	}
	switch {
	case r.unreachable != "":
		return servlet.Errorf("%s was not fetched: its site's robots.txt could not be read (%s), and until it can everything there counts as forbidden", u, r.unreachable)
	case !r.allows(u):
		return servlet.Errorf("%s was not fetched: the site's robots.txt forbids it to automatic readers such as %s", u, robotName)
	}
	return nil
}

// ask gets the rules of a site. What there is no rule about is allowed; while nobody knows, nothing is.
// Source: RFC 9309, section 2.3.1.
func ask(ctx context.Context, u *url.URL, site string) (robots, error) {
	page, err := get(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"})
	switch {
	case errors.Is(err, servlet.ErrUnavailable):
		return robots{unreachable: root(errors.Unwrap(err)).Error()}, nil
	case err != nil:
		// Refused by Writ, and so would be the page itself.
		return robots{}, servlet.Errorf("%s was not fetched: %w", u, root(errors.Unwrap(err)))
	case page.Status >= 500 || page.Status == 429:
		return robots{unreachable: refusal(page).Error()}, nil
	case !page.OK():
		return robots{}, nil
	}
	return parseRobots(page.Body), nil
}

// parseRobots reads the group for this servlet, or else the one for everybody. Groups for the same
// name are one. Lines that it does not know are passed over.
func parseRobots(body []byte) robots {
	var mine, all []rule
	var named, toMe, toAll, inRules bool
	body = bytes.TrimPrefix(body[:min(len(body), maxRobots)], []byte("\ufeff"))
	for _, line := range strings.FieldsFunc(string(body), func(r rune) bool { return r == '\n' || r == '\r' }) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key = strings.ToLower(strings.TrimSpace(key)); key {
		case "user-agent":
			if inRules { // a new group begins
				toMe, toAll, inRules = false, false, false
			}
			if addressed(value) {
				named, toMe = true, true
			}
			toAll = toAll || value == "*"
		case "allow", "disallow":
			inRules = true
			if value == "" { // "Disallow:" forbids nothing
				continue
			}
			r := rule{allow: key == "allow", pattern: normal(value)}
			if toMe {
				mine = append(mine, r)
			}
			if toAll {
				all = append(all, r)
			}
		}
	}
	if named {
		return robots{rules: mine}
	}
	return robots{rules: all}
}

// addressed says that the product token of a line means this servlet. Versions and what follows are
// not part of it.
func addressed(value string) bool {
	end := strings.IndexFunc(value, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_')
	})
	if end >= 0 {
		value = value[:end]
	}
	return strings.EqualFold(value, robotName)
}

// allows applies the rule with the longest pattern that matches; of two as long, the one that allows.
func (r robots) allows(u *url.URL) bool {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if path == "/robots.txt" {
		return true
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	path = normal(path)
	allowed, longest := true, -1
	for _, one := range r.rules {
		if n := len(one.pattern); (n > longest || n == longest && one.allow) && matches(one.pattern, path) {
			allowed, longest = one.allow, n
		}
	}
	return allowed
}

// matches says that path begins with pattern, in which "*" stands for any text and a "$" at the end for
// the path's end. It looks for each piece as early as it can, so that its work is bounded by the product
// of the lengths, whatever the pattern.
func matches(pattern, path string) bool {
	pattern, whole := strings.CutSuffix(pattern, "$")
	pieces := strings.Split(pattern, "*")
	if !strings.HasPrefix(path, pieces[0]) {
		return false
	}
	rest := path[len(pieces[0]):]
	for i, piece := range pieces[1:] {
		if whole && i == len(pieces)-2 {
			return strings.HasSuffix(rest, piece)
		}
		at := strings.Index(rest, piece)
		if at < 0 {
			return false
		}
		rest = rest[at+len(piece):]
	}
	return !whole || rest == ""
}

// normal writes percent-encoding in one way: escapes in capitals, unreserved characters and "/" of
// RFC 3986 as they are, everything else that is not ASCII escaped.
func normal(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		escaped := false
		if c == '%' && i+2 < len(text) {
			high, low := strings.IndexByte(hex, upper(text[i+1])), strings.IndexByte(hex, upper(text[i+2]))
			if high >= 0 && low >= 0 {
				c, escaped = byte(high<<4|low), true
				i += 2
			}
		}
		plain := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~", c) >= 0
		if plain || !escaped && c > 0x20 && c < 0x7f {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
