package host_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/guests"
)

// release is a signed file of the guest, and what its installation says.
func (h *fixture) release(version string, seq uint64, change func(*capabilities.Manifest)) (registry.Installation, []byte) {
	h.t.Helper()
	m := manifest()
	m.Version, m.Seq, m.Issued, m.Expires = version, seq, "2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
	if change != nil {
		change(&m)
	}
	file, err := capabilities.Seal(guests.Build(h.t, "mcp"), m, key("publisher"))
	if err != nil {
		h.t.Fatal(err)
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := unverified.Verify()
	if err != nil {
		h.t.Fatal(err)
	}
	return registry.Installation{
		Space: me.Space, Alias: "t", Name: m.Name, Version: m.Version, Publisher: s.KeyID(), Seq: seq, Digest: s.Digest(),
		Source: "test", Grant: h.grant(s),
	}, file
}

// upgrade puts a release in the place of what is there.
func (h *fixture) upgrade(in registry.Installation, file []byte) {
	h.t.Helper()
	now, err := h.reg.Lookup(context.Background(), me, "t")
	if err == nil {
		in.Revision = now.Revision
		_, err = h.reg.Upgrade(context.Background(), me, in, file)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// A call that runs while its servlet is upgraded ends on the code that it began with, as far as the new
// grant allows what it may do; the next call is of the new version, whose tools clients are told of.
func TestRunningCallsOutliveAnUpgrade(t *testing.T) {
	for _, row := range []struct {
		name   string
		narrow func(*capabilities.Rights) // of the new grant
		want   host.Status
	}{
		{"kept", func(*capabilities.Rights) {}, host.StatusOK},
		{"less is granted now", func(r *capabilities.Rights) { r.HTTP = nil }, host.StatusDenied},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			h := newFixture(t, s.net)
			arrived, answer := make(chan struct{}), make(chan struct{})
			s.handle("GET /v1/slow", func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				select {
				case <-answer:
					w.Write([]byte("late"))
				case <-r.Context().Done():
				}
			})
			give := func(in *registry.Installation) {
				api := in.Grant.Rights.HTTP["api"]
				api.Origin = s.origin
				in.Grant.Rights.HTTP["api"] = api
			}
			in, file := h.release("1.0.0", 1, nil)
			give(&in)
			if _, err := h.reg.Install(t.Context(), me, in, file); err != nil {
				t.Fatal(err)
			}
			told, stop := context.WithCancel(t.Context())
			defer stop()
			changed := make(chan struct{}, 16)
			go h.reg.Watch(told, func(uint64) { changed <- struct{}{} })

			done := make(chan host.Answer, 1)
			go func() { done <- h.call("t_fetch", args{"method": "GET", "path": "/v1/slow", "text": ""}) }()
			<-arrived
			next, file2 := h.release("1.1.0", 2, func(m *capabilities.Manifest) { m.Tools = slices.Delete(m.Tools, 4, 5) })
			give(&next)
			row.narrow(&next.Grant.Rights)
			h.upgrade(next, file2)
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatal("nobody was told")
			}
			if row.want == host.StatusOK {
				h.host.Recheck() // what every change does, here certainly before the answer
				close(answer)
			}
			a := <-done
			if a.Status != row.want {
				t.Errorf("got %s: %s", a.Status, text(t, a))
			}
			want(t, h.call("t_units", nil), host.StatusOK, "metric")
			tools, err := h.host.Tools(t.Context(), me)
			if err != nil || slices.ContainsFunc(tools, func(one host.Tool) bool { return one.Name == "t_say" }) || len(tools) == 0 {
				t.Errorf("%d tools, %v", len(tools), err)
			}
		})
	}
}

// A call that looked the old version up, and finds its file gone, was not run, and may be made again.
func TestACallBetweenTwoVersionsIsMadeAgain(t *testing.T) {
	h := newFixture(t, guard.Network{})
	in, file := h.release("1.0.0", 1, nil)
	if _, err := h.reg.Install(t.Context(), me, in, file); err != nil {
		t.Fatal(err)
	}
	next, file2 := h.release("1.1.0", 2, nil)
	h.adopt(host.NewOver(host.Config{Engine: engine}, &afterLookup{h.reg, func() { h.upgrade(next, file2) }}))
	want(t, h.call("t_units", nil), host.StatusHost, "Call it again.")
	want(t, h.call("t_units", nil), host.StatusOK, "metric")
}

// afterLookup changes what is installed when a call first opens the file that it looked up.
type afterLookup struct {
	*registry.Registry
	change func()
}

func (a *afterLookup) OpenBlob(ctx context.Context, digest string) (registry.BlobReader, error) {
	if a.change != nil {
		a.change()
		a.change = nil
	}
	return a.Registry.OpenBlob(ctx, digest)
}
