package guard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// Tape stands where the connections would be: it answers exchanges from what was recorded, or records
// what a real one brings. Everything before it is as ever: what is refused, counted or recorded as denied
// never gets here. Its methods are called by several goroutines at once.
type Tape interface {
	// Exchange answers what the guard has allowed. send does the exchange over the network, at most once.
	// An error that is an *effect.Error reaches the guest as it is, any other as a server that does not answer.
	Exchange(ctx context.Context, sent Sent, send func() (Answered, error)) (Answered, error)
}

// Sent is a request as a tape sees it: without what the host attaches, and with every secret masked that
// the call has sent.
type Sent struct {
	Kind       capabilities.Kind // http or web
	Capability string            // id of the http capability; empty for web
	Method     string
	Origin     string // scheme, host and port
	Path       string // canonical
	Query      string // without "?"
	Header     []effect.Header
	Body       []byte
}

// URL is where the request goes.
func (s Sent) URL() string {
	if s.Query == "" {
		return s.Origin + s.Path
	}
	return s.Origin + s.Path + "?" + s.Query
}

// Answered is an answer as a tape sees it: unpacked, without the fields that never reach a guest (but for
// Location, which the guard follows), and with every secret masked that the call has sent.
type Answered struct {
	Status int
	Header []effect.Header
	Body   []byte
}

// taped does an exchange by way of the tape.
func (g *Guard) taped(ctx context.Context, x exchange, carried credentials) (*http.Response, *effect.Error) {
	if _, err := x.request(ctx); err != nil {
		return nil, &effect.Error{Code: effect.Invalid, Text: errURLPath.Error()}
	}
	answer, err := g.network.Tape.Exchange(ctx, g.sent(x), func() (Answered, error) {
		resp, refusal := g.reach(ctx, x, carried)
		if refusal != nil {
			return Answered{}, refusal
		}
		defer resp.Body.Close()
		return g.answered(ctx, x, resp)
	})
	if refusal := (*effect.Error)(nil); errors.As(err, &refusal) {
		return nil, refusal
	}
	if err != nil {
		return nil, unavailable("the server did not answer")
	}
	if answer.Status < 200 || answer.Status > 599 {
		return nil, &effect.Error{Code: effect.Unavailable, Text: "the server answered with a status that is not allowed"}
	}
	resp := &http.Response{
		StatusCode: answer.Status, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(answer.Body)), ContentLength: int64(len(answer.Body)),
	}
	for _, f := range answer.Header {
		resp.Header.Add(f.Name, f.Value)
	}
	resp.Header.Del("Content-Encoding") // a body is kept unpacked
	return resp, nil
}

// sent is what a tape is told of x.
func (g *Guard) sent(x exchange) Sent {
	clean := func(text string) string { return string(g.masked.clean([]byte(text))) }
	s := Sent{
		Kind: x.kind, Capability: x.capability, Method: x.method,
		Origin: x.origin.scheme + "://" + x.origin.authority, Path: clean(x.path), Query: clean(x.query),
		Body: g.masked.clean(bytes.Clone(x.body)),
	}
	for name, values := range x.header {
		for _, value := range values {
			s.Header = append(s.Header, effect.Header{Name: strings.ToLower(name), Value: clean(value)})
		}
	}
	slices.SortStableFunc(s.Header, func(a, b effect.Header) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// answered reads a real answer for a tape, under the limits of any other.
func (g *Guard) answered(ctx context.Context, x exchange, resp *http.Response) (Answered, error) {
	answer, refusal := g.readAnswer(ctx, x.method, resp)
	if refusal != nil {
		return Answered{}, refusal
	}
	fields := answer.Header
	if to := resp.Header.Get("Location"); to != "" && plainValue(to) {
		fields = append(fields, effect.Header{Name: "location", Value: string(g.masked.clean([]byte(to)))})
	}
	return Answered{Status: answer.Status, Header: fields, Body: answer.Body}, nil
}
