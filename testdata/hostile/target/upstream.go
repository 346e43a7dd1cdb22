package target

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
)

// Upstream is a server that servlets may be after, with the one address that every name has. It counts who looks for it
// and who reaches it.
type Upstream struct {
	Origin  string
	Network guard.Network
	Lookups atomic.Int64
	Hits    atomic.Int64
	server  *httptest.Server
}

// NewUpstream starts one at https://example.com:PORT. handler may be nil. Stop ends it.
func NewUpstream(handler http.HandlerFunc) *Upstream {
	u := &Upstream{}
	u.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.Hits.Add(1)
		if handler != nil {
			handler(w, r)
		}
	}))
	u.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	u.server.StartTLS()
	at := netip.MustParseAddrPort(u.server.Listener.Addr().String())
	u.Origin = fmt.Sprintf("https://example.com:%d", at.Port())
	u.Network = guard.Network{
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			u.Lookups.Add(1)
			return []netip.Addr{at.Addr()}, nil
		},
		Loopback: []netip.AddrPort{at},
		Roots:    x509.NewCertPool(),
	}
	u.Network.Roots.AddCert(u.server.Certificate())
	return u
}

// Stop ends the server.
func (u *Upstream) Stop() { u.server.Close() }

// unrecorded keeps no events.
type unrecorded struct{}

func (unrecorded) Record(context.Context, guard.Event) error { return nil }

// Guard is the product's guard of one call under a policy. The caller ends it.
func Guard(p capabilities.Policy, network guard.Network) (*guard.Guard, error) {
	return guard.New(guard.Config{Policy: p, Recorder: unrecorded{}, Network: network})
}
