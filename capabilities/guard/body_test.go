package guard_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
)

// room is what answers may take, bytes.
type room struct {
	mu    sync.Mutex
	most  int64
	taken int64 // guarded by mu
}

func (r *room) Take(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < 0 || n > r.most-r.taken {
		return false
	}
	r.taken += n
	return true
}

func (r *room) Give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken -= n
}

// An answer has the memory that its call has left for it, and is refused as soon as it wants more: not
// when it is whole, which may take as long as the server likes.
func TestAnswersFindRoom(t *testing.T) {
	const small, most = 20 << 10, 100 << 10
	const secret = "hunter2hunter2"
	// The server sends no more than is flushed, until the client gives up.
	stall := func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		fits    bool
	}{
		"allow a small one": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, small)) }, true},
		"allow a small one of unknown length": {func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(make([]byte, small))
		}, true},
		"allow a small one that is packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zip(t, make([]byte, small)))
		}, true},
		"allow a small echo": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, secret+strings.Repeat("x", small/2)) }, true},
		"deny one that is announced": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "200000")
			w.Write([]byte("x"))
			stall(w, r)
		}, false},
		"deny one that comes and comes": {func(w http.ResponseWriter, r *http.Request) {
			w.Write(make([]byte, most))
			stall(w, r)
		}, false},
		"deny one that unpacks": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zip(t, make([]byte, 4<<20)))
			stall(w, r)
		}, false},
		"deny an echo that has no room for the mask": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, secret+strings.Repeat("x", 2*small)) }, false},
	}
	for intent, tt := range tests {
		t.Run(intent, func(t *testing.T) {
			u := serve(t, tt.handler)
			g, _ := u.signedIn(t, bearer, safe{"KEY": secret})
			left := &room{most: most}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			resp, err := g.Fetch(effect.WithRoom(ctx, left), get("/v1/x"))
			switch {
			case tt.fits && (err != nil || len(resp.Body) < small/2 || left.taken < int64(cap(resp.Body))):
				t.Errorf("%d bytes, %v; %d bytes are taken", len(resp.Body), err, left.taken)
			case !tt.fits && (code(err) != effect.Limit || !strings.Contains(err.Text, "memory limit") || resp.Body != nil):
				t.Errorf("%d bytes, %v; want code %d", len(resp.Body), err, effect.Limit)
			}
		})
	}
	t.Run("deny a page", func(t *testing.T) {
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Write(make([]byte, most))
			stall(w, r)
		})
		g, _ := u.browse(t, "GET")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := g.FetchPage(effect.WithRoom(ctx, &room{most: most}), page(u.origin+"/")); code(err) != effect.Limit {
			t.Errorf("got %v", err)
		}
	})
}
