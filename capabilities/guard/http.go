package guard

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

const (
	maxRedirects    = 5
	maxRequestBody  = 8 << 20          // bytes
	maxExchanging   = 4                // exchanges of one call at once; more wait
	defaultExchange = 60 * time.Second // for a whole fetch, when the caller set no deadline
)

// exchange is a request that matched its grant: nothing in it is the guest's spelling any more.
type exchange struct {
	kind       capabilities.Kind // http or web
	capability string            // id of the http capability; empty for web
	right      capabilities.HTTPRight
	method     string
	page
	header http.Header
	body   []byte
}

// page is where an exchange goes.
type page struct {
	origin  origin
	path    string // canonical
	decoded string // path, decoded
	query   string
}

// target is how a record names the exchange: without the query, which can hold what a user typed.
func (x exchange) target() string {
	if x.kind == capabilities.KindWeb {
		return x.origin.scheme + "://" + x.origin.authority + x.path
	}
	return x.capability + ":" + x.path
}

// Fetch does one HTTP exchange under a granted capability, redirects included. Every hop is matched,
// counted, recorded and dialled as if it were a request of its own, and all of that before the host's
// name is looked up: a refused request sends nothing, not even a DNS query.
func (g *Guard) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	if req.URL != "" {
		return g.fetchURL(ctx, req)
	}
	x, refusal := g.match(req)
	if refusal != nil {
		g.decide(ctx, capabilities.KindHTTP, req.Method, req.Capability+":"+req.Path, refusal.Text)
		return effect.HTTPResponse{}, refusal
	}
	answer, _, failed := g.exchange(ctx, x)
	return answer, failed
}

// exchange follows x within the time and the number of exchanges that a call has. last is the exchange
// that was answered.
func (g *Guard) exchange(ctx context.Context, x exchange) (answer effect.HTTPResponse, last exchange, failed *effect.Error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.life.context(), cancel)()
	if _, bounded := ctx.Deadline(); !bounded {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, defaultExchange)
		defer stop()
	}
	select {
	case g.exchanging <- struct{}{}:
		defer func() { <-g.exchanging }()
	case <-ctx.Done():
		return effect.HTTPResponse{}, x, cancelled()
	}
	return g.follow(ctx, x)
}

// follow does x and the exchanges that it is redirected to.
func (g *Guard) follow(ctx context.Context, x exchange) (answer effect.HTTPResponse, last exchange, failed *effect.Error) {
	for hop := 0; ; hop++ {
		resp, failed := g.send(ctx, x)
		if failed != nil {
			return effect.HTTPResponse{}, x, failed
		}
		next, redirected, refusal := x.redirect(resp)
		// The next path is recorded and shown; a server that puts the key there must not have it written
		// to the audit.
		if refusal == nil && redirected && (g.masked.finds(next.decoded) || g.masked.finds(next.target())) {
			refusal = denied("the server redirected to a place that is not granted")
		}
		if refusal == nil && redirected && hop == maxRedirects {
			refusal = &effect.Error{Code: effect.Unavailable, Text: "the server redirected too often"}
		}
		if refusal != nil {
			resp.Body.Close()
			g.decide(ctx, x.kind, "redirect", x.target(), refusal.Text)
			return effect.HTTPResponse{}, x, refusal
		}
		if !redirected {
			defer resp.Body.Close()
			answer, failed := g.readAnswer(ctx, x.method, resp)
			return answer, x, failed
		}
		resp.Body.Close()
		x = next
	}
}

// send does one exchange: budget, secrets, record, dial.
func (g *Guard) send(ctx context.Context, x exchange) (*http.Response, *effect.Error) {
	if ctx.Err() != nil {
		return nil, cancelled()
	}
	refusal := ""
	if !g.spent.request(g.policy.Limits.HTTPCalls) {
		refusal = "the HTTP calls of this call are used up"
	}
	var carried credentials
	within := refusal == ""
	if within {
		carried, refusal = g.credentials(ctx, x)
	}
	switch err := g.decideSending(ctx, x, carried.keys, refusal); {
	case err == nil:
	case refusal != "" && !within:
		return nil, &effect.Error{Code: effect.Limit, Text: refusal}
	case refusal != "":
		return nil, denied(refusal)
	case err == errUnrecorded:
		return nil, &effect.Error{Code: effect.Internal, Text: "the host could not record the request"}
	case err == errTooMany:
		return nil, &effect.Error{Code: effect.Limit, Text: "too many requests in one call"}
	default:
		return nil, cancelled()
	}
	if g.network.Tape != nil {
		return g.taped(ctx, x, carried)
	}
	return g.reach(ctx, x, carried)
}

// reach sends an exchange that was decided on, and recorded.
func (g *Guard) reach(ctx context.Context, x exchange, carried credentials) (*http.Response, *effect.Error) {
	req, err := x.request(ctx)
	if err != nil {
		return nil, &effect.Error{Code: effect.Invalid, Text: errURLPath.Error()}
	}
	carried.attach(req)
	g.trace.attach(req, x.kind)
	var left atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}
	resp, err := g.transport(x).RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		if left.Load() {
			g.ledger.unknown(ctx, newEvent(x.kind, x.method, x.target(), ""))
		}
		return nil, g.unanswered(ctx, x, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 599 { // 101 would be a raw connection
		resp.Body.Close()
		return nil, &effect.Error{Code: effect.Unavailable, Text: "the server answered with a status that is not allowed"}
	}
	return resp, nil
}

// match holds a request against its grant, in full and without touching the network.
func (g *Guard) match(req effect.HTTPRequest) (exchange, *effect.Error) {
	right, granted := g.policy.Rights.HTTP[req.Capability]
	if !granted {
		return exchange{}, denied("this http capability is not granted")
	}
	if len(right.Params) > 0 {
		return exchange{}, &effect.Error{Code: effect.Unsupported, Text: "this grant needs parameter limits, which this Writ does not build yet"}
	}
	to, ok := parseOrigin(right.Origin)
	if !ok {
		return exchange{}, denied("the granted origin is not one that may be reached")
	}
	if !capabilities.ValidMethod(req.Method) || !slices.Contains(right.Methods, req.Method) {
		return exchange{}, denied("the method is not granted")
	}
	path, decoded, err := canonicalPath(req.Path)
	if err != nil {
		return exchange{}, invalid(err)
	}
	if !withinPaths(path, right.Paths) {
		return exchange{}, denied("the path is not granted")
	}
	if err := checkQuery(req.Query); err != nil {
		return exchange{}, invalid(err)
	}
	header, refusal := requestHeader(req.Header)
	if refusal != nil {
		return exchange{}, refusal
	}
	if refusal := forged(right.Auth, header, req.Query); refusal != nil {
		return exchange{}, refusal
	}
	if len(req.Body) > maxRequestBody {
		return exchange{}, &effect.Error{Code: effect.Limit, Text: "the request body is too large"}
	}
	if len(req.Body) > 0 && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		return exchange{}, &effect.Error{Code: effect.Invalid, Text: "a GET or HEAD request has no body"}
	}
	return exchange{
		kind: capabilities.KindHTTP, capability: req.Capability, right: right, method: req.Method,
		page: page{origin: to, path: path, decoded: decoded, query: req.Query}, header: header, body: req.Body,
	}, nil
}

// request builds what is sent. What was matched must be what is sent, so the URL is checked to come
// out as the canonical path.
func (x exchange) request(ctx context.Context) (*http.Request, error) {
	u := &url.URL{Scheme: x.origin.scheme, Host: x.origin.authority, Path: x.decoded, RawPath: x.path, RawQuery: x.query}
	if u.EscapedPath() != x.path {
		return nil, errURLPath
	}
	req, err := http.NewRequestWithContext(ctx, x.method, u.String(), nil)
	if err != nil {
		return nil, errURLPath
	}
	if req.URL.EscapedPath() != x.path || req.URL.Host != x.origin.authority || req.URL.RawQuery != x.query {
		return nil, errURLPath
	}
	req.Header = x.header.Clone()
	if len(x.body) > 0 {
		// No GetBody: what has been recorded once is not silently sent a second time.
		req.Body = io.NopCloser(bytes.NewReader(x.body))
		req.ContentLength = int64(len(x.body))
	}
	return req, nil
}

func denied(text string) *effect.Error { return &effect.Error{Code: effect.Denied, Text: text} }

func invalid(err error) *effect.Error { return &effect.Error{Code: effect.Invalid, Text: err.Error()} }

func cancelled() *effect.Error {
	return &effect.Error{Code: effect.Cancelled, Text: "the call was cancelled or is past its deadline"}
}
