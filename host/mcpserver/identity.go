package mcpserver

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// identity is who a request comes from, in one space. The zero value is nobody.
type identity struct {
	by  capabilities.Caller
	key registry.AccessKey // zero: nobody was asked for one
}

// localUser is who every client is that nobody was asked for a key: the person at this machine. It is no
// operator, so that nothing that changes what is granted can be reached over MCP.
func localUser(space string) identity {
	return identity{by: capabilities.Caller{Principal: "local", Space: space, Roles: []string{capabilities.RoleUser}}}
}

type identityKey struct{}

// realm names what the keys of all servers of Writ are for.
const realm = `Bearer realm="writ"`

// Answers to requests that name no key, or none that is let in.
const (
	textAnonymous = "no MCP server answers here without a key"
	textKey       = "the key is not valid; send Authorization: Bearer followed by a key of `writ key create`"
	textTwoKeys   = "give one key, once: as Authorization: Bearer, or in the address if it was made for that"
	textQuery     = "a key is never part of a query, which servers on its way write down: rotate it, and send it as Authorization: Bearer"
)

// credential is what a request presents.
type credential struct {
	text    string
	present bool
	inPath  bool
}

// takeCredential takes the key out of a request, so that nothing behind it can log it or hand it on, and
// leaves the path without it.
func takeCredential(r *http.Request) (credential, *refusal) {
	if strings.Contains(r.URL.RawQuery, "access_token=") || strings.Contains(r.URL.RawQuery, "writ_") {
		return credential{}, &refusal{status: http.StatusBadRequest, text: textQuery, challenge: realm + `, error="invalid_request"`}
	}
	headers := r.Header.Values("Authorization")
	r.Header.Del("Authorization")
	rest, inPath := strings.CutPrefix(r.URL.Path, "/k/")
	if len(headers) > 1 || len(headers) == 1 && inPath {
		return credential{}, &refusal{status: http.StatusBadRequest, text: textTwoKeys, challenge: realm + `, error="invalid_request"`}
	}
	switch {
	case inPath:
		text, path, _ := strings.Cut(rest, "/")
		r.URL.Path, r.URL.RawPath, r.RequestURI = "/"+path, "", "/"+path
		r.Header.Del("Referer") // an address with a key in it may be named there
		return credential{text: text, present: true, inPath: true}, nil
	case len(headers) == 1:
		scheme, text, _ := strings.Cut(headers[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			text = ""
		}
		return credential{text: strings.TrimSpace(text), present: true}, nil
	}
	return credential{}, nil
}

// identify finds out whose request it is. It is the one place that decides who is let in.
func (f *front) identify(w http.ResponseWriter, r *http.Request) (registry.AccessKey, *refusal) {
	presented, refused := takeCredential(r)
	if refused != nil {
		return registry.AccessKey{}, refused
	}
	if presented.inPath {
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
	}
	if !presented.present {
		no := &refusal{status: http.StatusMisdirectedRequest, text: textAnonymous}
		if f.access.Anonymous == http.StatusUnauthorized {
			no.status, no.challenge = http.StatusUnauthorized, realm
		}
		return registry.AccessKey{}, no
	}
	key, err := f.access.Keys.Authenticate(r.Context(), presented.text)
	if err == nil && presented.inPath && !key.URL {
		err = registry.ErrKeyRefused // it was not made to be seen in addresses
	}
	switch {
	case errors.Is(err, registry.ErrKeyRefused):
		return registry.AccessKey{}, f.refuseKey(r)
	case err != nil:
		f.logger.Error("checking a key", "error", err)
		return registry.AccessKey{}, &refusal{status: http.StatusServiceUnavailable, text: "Writ could not check the key; its log has the reason"}
	}
	f.uses.note(key.ID)
	return key, nil
}

// refuseKey answers a wrong key: with the same bytes whether it is unknown, expired or revoked.
func (f *front) refuseKey(r *http.Request) *refusal {
	from := f.remote(r)
	retry, first := f.attempts.failed(from)
	if retry == 0 {
		return &refusal{status: http.StatusUnauthorized, text: textKey, challenge: realm + `, error="invalid_token"`}
	}
	if first {
		f.logger.Warn("many requests without a valid key", "address", quote(from))
	}
	return &refusal{status: http.StatusTooManyRequests, text: "too many requests without a valid key came from this address", retry: retry}
}

// enter decides whether a request may use the space that it names, before it is known whether there is
// such a space.
func (f *front) enter(key registry.AccessKey, asks bool, space string) (identity, *refusal) {
	if !asks {
		return localUser(space), nil
	}
	by, ok := key.For(space)
	if !ok {
		return identity{}, &refusal{
			status: http.StatusForbidden, text: "the key is not for the space " + quote(space), challenge: realm + `, error="insufficient_scope"`,
		}
	}
	return identity{by: by, key: key}, nil
}

// callerOf is who a request comes from: on stdio the local user; over HTTP whoever the front found, which
// in a session is its owner, because all of its requests have the context of its first one.
func (sp *space) callerOf(ctx context.Context, session *mcp.ServerSession, modern bool) (identity, bool) {
	if sp.spaces.local {
		return localUser(sp.name), true
	}
	if modern {
		who, ok := ctx.Value(identityKey{}).(identity)
		return who, ok
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if s := sp.sessions[session.ID()]; s != nil {
		return s.who, true
	}
	return identity{}, false
}
