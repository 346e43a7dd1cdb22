package guard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// redirect returns the exchange that an answer asks for next. It is held against the same grant as the
// first one: a granted server that redirects to the host's own network, to another port or to a path
// that was not granted gets nothing followed. Headers stay with the origin,
// since no hop can leave it; secrets are attached to each hop anew.
func (x exchange) redirect(resp *http.Response) (next exchange, redirected bool, refusal *effect.Error) {
	location := resp.Header.Get("Location")
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return exchange{}, false, nil
	}
	if location == "" {
		return exchange{}, false, nil
	}
	next = x
	// RFC 9110, section 15.4: 303 asks for a GET, and after 301 or 302 a POST becomes one.
	turned := resp.StatusCode == http.StatusSeeOther && x.method != http.MethodHead ||
		resp.StatusCode <= http.StatusFound && x.method == http.MethodPost
	if turned && x.method != http.MethodGet {
		next.method, next.body = http.MethodGet, nil
		next.header = x.header.Clone()
		next.header.Del("Content-Type")
		next.header.Del("Content-Language")
	}
	if x.kind == capabilities.KindWeb {
		to, err := x.leadsTo(location)
		if err != nil {
			return exchange{}, false, denied("the server redirected to a place that is refused: " + err.Error())
		}
		next.page = to
		return next, true, nil
	}
	if !next.move(location) || !slices.Contains(next.right.Methods, next.method) {
		return exchange{}, false, denied("the server redirected to a place that is not granted")
	}
	return next, true, nil
}

// move points x to where location leads, if the grant allows it.
func (x *exchange) move(location string) bool {
	if len(location) > maxURLPath+maxQuery || !plainValue(location) || strings.ContainsAny(location, "\\\t ") {
		return false
	}
	u, err := url.Parse(location)
	if err != nil || u.Opaque != "" || u.User != nil {
		return false
	}
	if u.Scheme != "" || u.Host != "" {
		if u.Scheme == "" {
			u.Scheme = "https"
		}
		// In any spelling, as the server did not write it for us; but it must mean the origin itself.
		to, err := capabilities.ParseOrigin(u.Scheme + "://" + u.Host)
		if err != nil || to != "https://"+x.origin.authority {
			return false
		}
	}
	path := u.EscapedPath()
	switch {
	case path == "" && (u.Host != "" || u.RawQuery == ""):
		path = "/"
	case path == "":
		path = x.path
	case path[0] != '/': // relative to the last folder; ".." is refused below
		path = x.path[:strings.LastIndexByte(x.path, '/')+1] + path
	}
	canonical, decoded, err := canonicalPath(path)
	if err != nil || !withinPaths(canonical, x.right.Paths) || checkQuery(u.RawQuery) != nil {
		return false
	}
	x.path, x.decoded, x.query = canonical, decoded, u.RawQuery
	if auth := x.right.Auth; auth != nil && auth.Type == capabilities.AuthQuery {
		// The server repeats the address that it was asked for: the host attaches the secret anew.
		x.query = withoutParameter(x.query, auth.Name)
	}
	return true
}
