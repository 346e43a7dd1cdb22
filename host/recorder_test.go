package host_test

import (
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
)

// Every exchange is on disk before it is sent, a GET as well: its path and query are how data leaves.
// A redirect is an exchange of its own.
func TestExchangesAreRecordedDurably(t *testing.T) {
	s := newSite(t)
	h := newFixture(t, s.net)
	h.install("w", manifest())
	h.regrant("w", false, func(g *capabilities.Grant) {
		api := g.Rights.HTTP["api"]
		api.Origin = s.origin
		g.Rights.HTTP["api"] = api
	})
	l := &ledger{Registry: h.reg}
	h.adopt(host.NewOver(host.Config{Engine: engine, Network: s.net}, l))
	for _, c := range []struct {
		method, path string
		want         int32
	}{
		{"GET", "/v1/ok?all=secrets", 1},
		{"GET", "/v1/near", 2},
		{"GET", "/secret", 0}, // refused: nothing leaves
	} {
		l.durable.Store(0)
		a := h.call("w_fetch", args{"method": c.method, "path": c.path, "text": ""})
		if n := l.durable.Load(); n != c.want {
			t.Errorf("%s %s: %d durable records, want %d (%s)", c.method, c.path, n, c.want, a.Status)
		}
	}
}
