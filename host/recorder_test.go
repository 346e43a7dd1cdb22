package host_test

import (
	"reflect"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
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

// What every call records is written as Encode writes it, whatever of it is there.
func TestDetailsAreWrittenAsEncodeWritesThem(t *testing.T) {
	for _, empty := range host.Details() {
		kind := reflect.TypeOf(empty)
		for missing := range kind.NumField() + 2 {
			detail := reflect.New(kind).Elem()
			for i := range kind.NumField() {
				switch f := detail.Field(i); {
				case i == missing, missing > kind.NumField():
				case f.CanInt():
					f.SetInt(int64(7 + i))
				case f.CanUint():
					f.SetUint(uint64(7 + i))
				default:
					f.SetString("text " + kind.Field(i).Name)
				}
			}
			got, plain, err := host.Encoded(detail.Interface())
			want, wantErr := strictjson.Encode(detail.Interface())
			if err != nil || wantErr != nil || !plain || string(got) != string(want) {
				t.Errorf("%v, plain %t, %v:\ngot  %s\nwant %s", kind, plain, err, got, want)
			}
		}
	}
}
