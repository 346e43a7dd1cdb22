package download

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// newClient makes a client for one download. done lets its connections go.
func newClient(cfg Config) (client *http.Client, done func()) {
	secure := &http.Transport{
		// Whoever runs the command set these variables, for every command; what comes through a proxy is
		// as encrypted as without one.
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: cfg.Idle}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    cfg.Idle,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	// In clear only to this machine, whatever a name of it resolves to.
	plain := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: cfg.Idle, Control: loopbackOnly}).DialContext,
		DialTLSContext:         refuseTLS,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	client = &http.Client{Transport: byScheme{secure, plain}, CheckRedirect: checkRedirect}
	return client, func() {
		secure.CloseIdleConnections()
		plain.CloseIdleConnections()
	}
}

// byScheme sends each request the way that its scheme asks for.
type byScheme struct{ secure, plain *http.Transport }

func (b byScheme) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := allowed(req.URL); err != nil {
		return nil, err
	}
	way := b.plain
	if req.URL.Scheme == "https" {
		way = b.secure
	}
	resp, err := way.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// http.Client's own words for a redirect that it cannot read have all of it, with its query.
	if to := resp.Header.Get("Location"); to != "" {
		if _, err := req.URL.Parse(to); err != nil {
			resp.Body.Close()
			return nil, fmt.Errorf("%w: where it leads to is no address", ErrRedirect)
		}
	}
	return resp, nil
}

func refuseTLS(context.Context, string, string) (net.Conn, error) {
	return nil, fmt.Errorf("%w: https on the way for http", ErrAddress)
}

func loopbackOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%w: http is only for this machine, and this name leads to %s", ErrAddress, to.Addr())
	}
	return nil
}

// checkRedirect holds the next address to the rules of the first. An address of https never becomes one
// of http: whoever sits on the way could have sent that redirect's target.
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: there were more than %d of them", ErrRedirect, maxRedirects)
	case req.URL.Scheme == "http" && via[len(via)-1].URL.Scheme == "https":
		return fmt.Errorf("%w: it leads from https to http", ErrRedirect)
	}
	if err := allowed(req.URL); err != nil {
		return fmt.Errorf("%w: %w", ErrRedirect, err)
	}
	// The address before this one is nobody's business: its query may be what gives access.
	req.Header.Del("Referer")
	return nil
}

// watch ends a download that is silent for too long. It begins with the request.
type watch struct {
	timer *time.Timer
	idle  time.Duration
	end   context.CancelCauseFunc
}

func newWatch(ctx context.Context, idle time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{idle: idle, end: cancel}
	w.timer = time.AfterFunc(idle, func() {
		cancel(fmt.Errorf("%w: the server was silent for %v", ErrTimeout, idle))
	})
	return ctx, w
}

// touch says that something came.
func (w *watch) touch() { w.timer.Reset(w.idle) }

func (w *watch) stop() {
	w.timer.Stop()
	w.end(nil)
}
