package guard

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// Secrets hands out what the host attaches to requests. It is asked anew for every exchange, so that
// a value that was replaced or removed is not sent any more.
type Secrets interface {
	// Secret returns the value of a key as it is now, or an error when there is none.
	Secret(ctx context.Context, key string) (capabilities.SecretValue, error)
}

// credentials are what the host adds to one exchange. The zero value adds nothing.
type credentials struct {
	keys   []string // of the secrets in them
	header string   // name of a header field, or
	query  string   // name of a query parameter
	text   string   // what it is set to; holds the secrets
}

// Rules by which an exchange is refused for its secrets.
const (
	ruleSecretDenied = "a secret that this grant needs is not granted"
	ruleSecretUnset  = "a secret that this grant needs is not set, or cannot be opened"
	ruleSecretForm   = "a secret that this grant needs cannot be sent in a header"
	ruleSecretType   = "this grant needs auth that this Writ does not build yet"
)

// credentials fetches what x has to carry. refusal is why it cannot be had: a request without its
// secret is another request, so nothing is sent then. Nothing that the guest gave has a part in it.
func (g *Guard) credentials(ctx context.Context, x exchange) (c credentials, refusal string) {
	auth := x.right.Auth
	if auth == nil {
		return credentials{}, ""
	}
	values := make(map[string]string)
	for _, key := range auth.Keys() {
		if g.policy.Rights.Secret[key] != capabilities.SecretEgress {
			return credentials{}, ruleSecretDenied
		}
		if g.secrets == nil {
			return credentials{}, ruleSecretUnset
		}
		v, err := g.secrets.Secret(ctx, key)
		if err != nil || v.Reveal() == "" {
			return credentials{}, ruleSecretUnset
		}
		values[key] = v.Reveal()
	}
	c = credentials{keys: auth.Keys()}
	switch auth.Type {
	case capabilities.AuthHeader:
		c.header, c.text = auth.Name, auth.Expand(func(key string) string { return values[key] })
	case capabilities.AuthQuery:
		c.query, c.text = auth.Name, auth.Expand(func(key string) string { return values[key] })
	case capabilities.AuthBasic:
		c.header = "Authorization"
		token := base64.StdEncoding.EncodeToString([]byte(auth.User + ":" + values[auth.Secret]))
		g.masked.add(token)
		c.text = "Basic " + token
	default:
		return credentials{}, ruleSecretType
	}
	if c.header != "" && (!capabilities.ValidAuthHeader(c.header) || !plainValue(c.text)) {
		return credentials{}, ruleSecretForm
	}
	for _, v := range values {
		g.masked.add(v)
	}
	g.masked.add(c.text)
	return c, ""
}

// attach puts the credentials into a request that is complete otherwise, and about to be sent to the
// granted origin: req is always https, and a redirect comes back here with a request of its own.
func (c credentials) attach(req *http.Request) {
	switch {
	case c.header != "":
		req.Header.Set(c.header, c.text)
	case c.query != "":
		if req.URL.RawQuery != "" {
			req.URL.RawQuery += "&"
		}
		req.URL.RawQuery += url.QueryEscape(c.query) + "=" + url.QueryEscape(c.text)
	}
}

// forged refuses a request in which the guest itself set what the host attaches: of two values, a
// server may believe the guest's, which could be another account's.
func forged(auth *capabilities.Auth, header http.Header, query string) *effect.Error {
	if auth == nil {
		return nil
	}
	name := auth.Name
	if auth.Type == capabilities.AuthBasic {
		name = "Authorization"
	}
	switch {
	case auth.Type == capabilities.AuthQuery && withoutParameter(query, name) != query:
		return denied("the host sets this query parameter itself")
	case auth.Type != capabilities.AuthQuery && len(header.Values(name)) > 0:
		return denied("the host sets this header itself")
	}
	return nil
}

// withoutParameter removes the parameters of a query that some server could read as name: in any case
// and encoding, separated by ";" too, and as an array.
func withoutParameter(query, name string) string {
	var kept strings.Builder
	for len(query) > 0 {
		end := strings.IndexAny(query, "&;")
		part := query
		if end >= 0 {
			part = query[:end+1]
		}
		query = query[len(part):]
		key, _, _ := strings.Cut(strings.TrimRight(part, "&;"), "=")
		if decoded, err := url.QueryUnescape(key); err == nil {
			key = decoded
		}
		key, _, _ = strings.Cut(key, "[")
		if !strings.EqualFold(strings.TrimSpace(key), name) {
			kept.WriteString(part)
		}
	}
	return kept.String()
}
