package mcpserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/registry"
)

// Keys knows the access keys. *registry.Registry is one.
type Keys interface {
	// HasKeys says whether any key was ever made: then clients are asked for one.
	HasKeys(ctx context.Context) (bool, error)
	// Authenticate returns the key of a text, or registry.ErrKeyRefused.
	Authenticate(ctx context.Context, text string) (registry.AccessKey, error)
	// KeyStands returns registry.ErrKeyRefused when a key that was returned would not be any more.
	KeyStands(ctx context.Context, key registry.AccessKey) error
	// RecordUse keeps when keys were used last.
	RecordUse(ctx context.Context, used map[string]time.Time) error
}

var _ Keys = (*registry.Registry)(nil)

// Access says who reaches a server over HTTP, and how. The zero value serves loopback alone, to every
// user and program of this machine.
type Access struct {
	// Keys are asked who a client is. nil: nobody is asked, and only loopback is served.
	Keys Keys
	// Require asks every client for a key. Without it a server on loopback does as soon as there is one.
	Require bool
	// Certificate is asked for the certificate of every connection; nil: no TLS. It is called by many
	// goroutines, and its Leaf must be set.
	Certificate func() *tls.Certificate
	// Public is the address that clients use, scheme and host. nil: that of the listener or, off
	// loopback, every name of the certificate.
	Public *url.URL
	// Proxied says that TLS ends at a proxy before this server: every request must come through it.
	Proxied bool
	// ProxyFrom are the addresses of the proxy. From others nothing is taken but probes: who reaches the
	// listener beside the proxy speaks without TLS, and may name any address as its own. Empty: any.
	ProxyFrom []netip.Prefix
	// Anonymous is the status of the answer to a request without any key: 421, which does not tell a
	// stranger what is here; or 401, which asks for a key, and makes many clients look for an OAuth
	// login that there is not. Zero: 421. A wrong key is always answered with 401.
	Anonymous int
}

// check refuses to serve an address in a way that would let strangers in, or read along.
func (a Access) check(address *net.TCPAddr) error {
	switch {
	case a.Anonymous != 0 && a.Anonymous != http.StatusUnauthorized && a.Anonymous != http.StatusMisdirectedRequest:
		return fmt.Errorf("making an MCP server: a request without a key is answered with 401 or 421, not %d", a.Anonymous)
	case a.asksAlways(address) && a.Keys == nil:
		return fmt.Errorf("listening on %s: %w", address, ErrNotLoopback)
	case a.Proxied && a.Public == nil:
		return fmt.Errorf("listening on %s behind a proxy: %w", address, ErrNoPublicAddress)
	case len(a.ProxyFrom) > 0 && !a.Proxied:
		return fmt.Errorf("listening on %s: %w", address, ErrNoProxy)
	case !address.IP.IsLoopback() && a.Certificate == nil && !a.Proxied:
		return fmt.Errorf("listening on %s: %w", address, ErrPlaintext)
	}
	return nil
}

// throughProxy says whether a request came from where the proxy is.
func (a Access) throughProxy(r *http.Request) bool {
	if len(a.ProxyFrom) == 0 {
		return true
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	at := from.Addr().Unmap().WithZone("")
	return err == nil && slices.ContainsFunc(a.ProxyFrom, func(p netip.Prefix) bool { return p.Contains(at) })
}

// asksAlways says whether every client needs a key, also while there is none. Whatever can lead strangers
// to a listener on loopback (a proxy, a tunnel under a name of its own) makes it so.
func (a Access) asksAlways(address *net.TCPAddr) bool {
	return a.Require || a.Proxied || a.Public != nil || !address.IP.IsLoopback()
}

// asks says whether this request needs a key.
func (f *front) asks(ctx context.Context) (bool, error) {
	if f.access.asksAlways(f.listener) {
		return true, nil
	}
	if f.access.Keys == nil {
		return false, nil
	}
	return f.access.Keys.HasKeys(ctx)
}

// tlsConfig is TLS 1.3 alone. HTTP/2 is not offered: one connection would carry many requests, which the
// bounds on connections do not see.
func (a Access) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.Certificate(), nil
		},
	}
}

// ownHost says whether a request names this server, in its Host header and, over TLS, in its SNI. On
// loopback that is the listener's address or localhost. The port may be another, as behind a forwarded
// port; no web page can have one of these names.
func (f *front) ownHost(r *http.Request) bool {
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]"), "80"
	}
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	if r.TLS != nil && r.TLS.ServerName != "" && !strings.EqualFold(r.TLS.ServerName, name) {
		return false // a connection that was opened for another server
	}
	if f.listener.IP.IsLoopback() {
		ip := net.ParseIP(name)
		if name == "localhost" || ip != nil && ip.Equal(f.listener.IP) {
			return true
		}
	}
	switch {
	case f.access.Public != nil:
		return strings.EqualFold(name, f.access.Public.Hostname())
	case r.TLS != nil:
		return name != "" && f.access.Certificate().Leaf.VerifyHostname(name) == nil
	}
	return false
}

// ownOrigin says whether an Origin header names the server that the request was sent to.
func (f *front) ownOrigin(origin, host string, encrypted bool) bool {
	scheme := "http://"
	if encrypted {
		scheme = "https://"
	}
	if public := f.access.Public; public != nil && strings.EqualFold(origin, public.Scheme+"://"+public.Host) {
		return true
	}
	return strings.EqualFold(origin, scheme+host)
}

// remote is the address that a request came from: the connection's or, behind a proxy, the one that the
// proxy wrote last. What stands before it is the client's word.
func (f *front) remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !f.access.Proxied {
		return host
	}
	forwarded := r.Header.Values("X-Forwarded-For")
	if len(forwarded) == 0 {
		return host
	}
	last := forwarded[len(forwarded)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	if net.ParseIP(last) == nil {
		return host
	}
	return last
}
