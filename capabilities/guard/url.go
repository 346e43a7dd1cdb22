package guard

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// fetchURL is Fetch for a guest that writes a URL instead of a capability's id. It finds the id and no
// more: what it found is matched, decided, recorded and dialled like a request that named it. Where no
// granted origin is the URL's, or none allows this request of it, the URL is a page for the capability
// web, if that is granted.
func (g *Guard) fetchURL(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	named, refusal := g.named(req)
	switch {
	case named.Capability != "" && (refusal == nil || g.policy.Rights.Web == nil):
		return g.Fetch(ctx, named) // which refuses, and records, what the match refuses
	case g.policy.Rights.Web != nil:
		page, failed := g.FetchPage(ctx, effect.WebRequest{Method: req.Method, URL: req.URL, Header: req.Header, Body: req.Body})
		return page.HTTPResponse, failed
	}
	g.decide(ctx, capabilities.KindHTTP, req.Method, withoutQuery(req.URL), refusal.Text)
	return effect.HTTPResponse{}, refusal
}

// named writes req as a request under the first capability that allows it, by their ids. When none does,
// it is one under the first that has the URL's origin, with what that one refuses; without any, its id is
// empty.
func (g *Guard) named(req effect.HTTPRequest) (effect.HTTPRequest, *effect.Error) {
	to, path, query, refusal := splitURL(req.URL)
	if refusal != nil {
		return effect.HTTPRequest{}, refusal
	}
	var first effect.HTTPRequest
	refusal = denied("no http capability that is granted has the origin of this URL")
	for _, id := range slices.Sorted(maps.Keys(g.policy.Rights.HTTP)) {
		if granted, ok := parseOrigin(g.policy.Rights.HTTP[id].Origin); !ok || granted != to {
			continue
		}
		candidate := effect.HTTPRequest{Capability: id, Method: req.Method, Path: path, Query: query, Header: req.Header, Body: req.Body}
		_, no := g.match(candidate)
		if no == nil {
			return candidate, nil
		}
		if first.Capability == "" {
			first, refusal = candidate, no
		}
	}
	return first, refusal
}

// splitURL reads the URL of a guest into what a request under an id has. Where two readers could differ,
// it is refused; the path and query are judged by the match.
func splitURL(text string) (to origin, path, query string, refusal *effect.Error) {
	if text == "" || len(text) > maxURLPath+maxQuery || strings.Contains(text, `\`) {
		return origin{}, "", "", invalid(errURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return origin{}, "", "", invalid(errURL)
	}
	if u.User != nil {
		return origin{}, "", "", denied(errUserInfo.Error())
	}
	// A grant is of https, whatever a guest writes: http to the same name is no grant of anybody's.
	canonical, err := capabilities.ParseOrigin(u.Scheme + "://" + u.Host)
	if err != nil {
		return origin{}, "", "", nil
	}
	to, _ = parseOrigin(canonical)
	if path = u.EscapedPath(); path == "" {
		path = "/"
	}
	return to, path, encodeQuery(u.RawQuery), nil
}
