package guard_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
)

// quiet drops what test servers say about clients that hang up on them.
var quiet = log.New(io.Discard, "", 0)

func zip(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A redirect is a request of the server's, and gets no more than the guest's: the same grant.
func TestRedirects(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "elsewhere") })
	var here *upstream
	tests := []struct {
		intent, location string
		status           int
		want             effect.Code
	}{
		{"allow a granted path", "/v1/end", 302, effect.OK},
		{"allow a relative path", "end", 301, effect.OK},
		{"allow the whole URL", "HERE/v1/end", 307, effect.OK},
		{"allow the URL without scheme", "//HOST/v1/end", 308, effect.OK},
		{"allow a fragment, which is not sent", "/v1/end#x", 303, effect.OK},
		{"allow an encoded query", "/v1/end?a=%20", 302, effect.OK},
		{"deny a path that is not granted", "/admin", 302, effect.Denied},
		{"deny the way up", "/v1/../admin", 302, effect.Denied},
		{"deny the relative way up", "../admin", 302, effect.Denied},
		{"deny the encoded way up", "/v1/%2e%2e/admin", 302, effect.Denied},
		{"deny the root", "/", 302, effect.Denied},
		{"deny another port", "ELSEWHERE/v1/end", 302, effect.Denied},
		{"deny another port, keeping the method", "ELSEWHERE/v1/end", 307, effect.Denied},
		{"deny plain http", "http://HOST/v1/end", 302, effect.Denied},
		{"deny another host", "https://evil.test/v1/end", 302, effect.Denied},
		{"deny a longer host", "https://HOST.evil.test/v1/end", 302, effect.Denied},
		{"deny loopback", "https://127.0.0.1/v1/end", 302, effect.Denied},
		{"deny localhost", "http://localhost/v1/end", 302, effect.Denied},
		{"deny metadata", "http://169.254.169.254/latest/meta-data/", 302, effect.Denied},
		{"deny a user", "https://user:pass@HOST/v1/end", 302, effect.Denied},
		{"deny a user that looks like the host", "https://HOST@evil.test/v1/end", 302, effect.Denied},
		{"deny a backslash", `https:\\evil.test/v1/end`, 302, effect.Denied},
		{"deny a backslash after slash", `/\evil.test/v1/end`, 302, effect.Denied},
		{"deny a file", "file:///etc/passwd", 302, effect.Denied},
		{"deny data", "data:text/plain,x", 302, effect.Denied},
		{"deny what cannot be read", "https://HOST:x/v1/%", 302, effect.Denied},
		{"deny a line break", "/v1/end%0d%0aX: y", 302, effect.Denied},
		{"deny a raw space", "/v1/end?a=b c", 302, effect.Denied},
		{"deny a circle", "/v1/circle", 302, effect.Unavailable},
		{"allow no location: it is an answer", "", 302, effect.OK},
		{"allow 304: it is an answer", "/admin", 304, effect.OK},
		{"allow 300: it is an answer", "/admin", 300, effect.OK},
	}
	for _, tt := range tests {
		t.Run(tt.intent, func(t *testing.T) {
			here = serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/end" {
					io.WriteString(w, "end")
					return
				}
				if tt.location != "" {
					host := strings.TrimPrefix(here.origin, "https://")
					w.Header()["Location"] = []string{strings.NewReplacer("HERE", here.origin, "HOST", host, "ELSEWHERE", elsewhere.origin).Replace(tt.location)}
				}
				w.WriteHeader(tt.status)
			})
			g, j := here.guard(t, here.right())
			_, err := g.Fetch(t.Context(), get("/v1/start"))
			if code(err) != tt.want {
				t.Fatalf("got %v, want code %d", err, tt.want)
			}
			if tt.want != effect.OK {
				if last := j.events[len(j.events)-1]; last.Decision != "deny" || last.Action != "redirect" {
					t.Errorf("last record %+v", last)
				}
			}
			if n := here.hits.Load(); tt.want == effect.Denied && n != 1 || tt.want == effect.Unavailable && n != 6 {
				t.Errorf("%d requests", n)
			}
		})
	}
	if elsewhere.hits.Load() != 0 {
		t.Error("a redirect left the origin")
	}
}

// Every hop is recorded and counted before it is taken.
func TestRedirectsAreCounted(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) })
	g, j := u.guard(t, u.right())
	for range 3 {
		g.Fetch(t.Context(), get("/v1/"))
	}
	if _, err := g.Fetch(t.Context(), get("/v1/")); code(err) != effect.Limit {
		t.Errorf("got %v", err)
	}
	if lines := j.lines(); lines[1] != "allow GET api:/v1/x" || u.hits.Load() != 20 {
		t.Errorf("%d requests, records %q", u.hits.Load(), lines)
	}
}

// A POST that is redirected becomes what RFC 9110 says, if that method is granted too.
func TestRedirectedMethods(t *testing.T) {
	for _, tt := range []struct {
		status  int
		methods []string
		want    string
	}{
		{301, []string{"GET", "POST"}, "GET "}, {302, []string{"GET", "POST"}, "GET "}, {303, []string{"GET", "POST"}, "GET "},
		{307, []string{"GET", "POST"}, "POST body"}, {308, []string{"POST"}, "POST body"},
		{302, []string{"POST"}, ""}, {303, []string{"POST"}, ""},
	} {
		t.Run(fmt.Sprint(tt.status, tt.methods), func(t *testing.T) {
			got := ""
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/end" {
					body, _ := io.ReadAll(r.Body)
					got = r.Method + " " + string(body)
					if r.Method == "GET" && r.Header.Get("Content-Type") != "" {
						t.Error("a GET without body has a content type")
					}
					return
				}
				w.Header().Set("Location", "/v1/end")
				w.WriteHeader(tt.status)
			})
			right := u.right()
			right.Methods = tt.methods
			g, _ := u.guard(t, right)
			_, err := g.Fetch(t.Context(), effect.HTTPRequest{
				Capability: "api", Method: "POST", Path: "/v1/start", Body: []byte("body"),
				Header: []effect.Header{{Name: "Content-Type", Value: "text/plain"}},
			})
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// What a server sends is bounded where it arrives and again after it is unpacked.
func TestHostileAnswers(t *testing.T) {
	big := make([]byte, 9<<20)
	bomb := zip(t, big)
	nested := zip(t, bomb)
	encoded := func(encoding string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Write(body)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			io.WriteString(conn, text)
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    effect.Code
	}{
		"allow gzip":              {encoded("gzip", zip(t, []byte("text"))), effect.OK},
		"allow 8 MiB":             {func(w http.ResponseWriter, _ *http.Request) { w.Write(big[:8<<20]) }, effect.OK},
		"deny one byte more":      {func(w http.ResponseWriter, _ *http.Request) { w.Write(big[:8<<20+1]) }, effect.Limit},
		"deny endless chunks":     {func(w http.ResponseWriter, _ *http.Request) { endless(w, make([]byte, 1<<16)) }, effect.Limit},
		"deny an announced giant": {raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"), effect.Limit},
		"deny a bomb":             {encoded("gzip", bomb), effect.Limit},
		"deny endless empty members": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			endless(w, zip(t, nil))
		}, effect.Limit},
		"deny a nested bomb": {encoded("gzip, gzip", nested), effect.Unavailable},
		"deny two encodings": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Encoding"] = []string{"gzip", "gzip"}
			w.Write(nested)
		}, effect.Unavailable},
		"deny br":                        {encoded("br", []byte("x")), effect.Unavailable},
		"deny deflate":                   {encoded("deflate", []byte("x")), effect.Unavailable},
		"deny damaged gzip":              {encoded("gzip", []byte("not gzip")), effect.Unavailable},
		"deny cut gzip":                  {encoded("gzip", zip(t, []byte("text"))[:20]), effect.Unavailable},
		"deny a cut body":                {raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), effect.Unavailable},
		"deny a header of 1 MB":          {raw("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"), effect.Unavailable},
		"deny 100,000 headers":           {raw("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 100_000) + "\r\n"), effect.Unavailable},
		"deny a flood of 1xx":            {raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <"+strings.Repeat("a", 500)+">\r\n\r\n", 5000) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), effect.Unavailable},
		"deny switching protocols":       {raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), effect.Unavailable},
		"deny a status of 999":           {raw("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"), effect.Unavailable},
		"deny what is no HTTP":           {raw("SSH-2.0-OpenSSH_9.6\r\n"), effect.Unavailable},
		"deny two lengths":               {raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), effect.Unavailable},
		"deny hanging up":                {raw(""), effect.Unavailable},
		"allow a quiet 204 that is gzip": {raw("HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"), effect.OK},
		"allow a quiet 200 that is gzip": {raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"), effect.OK},
		"allow an error answer":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, effect.OK},
	}
	for intent, tt := range tests {
		t.Run(intent, func(t *testing.T) {
			u := serve(t, tt.handler)
			g, _ := u.guard(t, u.right())
			resp, err := g.Fetch(t.Context(), get("/v1/x"))
			if code(err) != tt.want {
				t.Errorf("got %d, %v; want code %d", resp.Status, err, tt.want)
			}
			if err != nil && (resp.Status != 0 || len(resp.Body) != 0) {
				t.Error("a refused answer came along")
			}
		})
	}
}

// A bomb is cut while it unpacks, not looked at afterwards.
func TestBombsCostLittleMemory(t *testing.T) {
	member := zip(t, make([]byte, 8<<20))
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for range 64 { // 512 MiB
			w.Write(member)
		}
	})
	g, _ := u.guard(t, u.right())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Limit {
		t.Errorf("got %v", err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// endless writes page until the other side hangs up.
func endless(w io.Writer, page []byte) {
	for {
		if _, err := w.Write(page); err != nil {
			return
		}
	}
}

// A server that sends a byte now and then holds a call no longer than the call's own deadline, and the
// end of the call.
func TestSlowAnswersEnd(t *testing.T) {
	for intent, stop := range map[string]func(cancel func(), end func()){
		"by the caller": func(cancel, _ func()) { cancel() },
		"by the end":    func(_, end func()) { end() },
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, early %v", intent, early), func(t *testing.T) {
				arrived := make(chan struct{})
				u := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if !early {
						w.Write([]byte("x"))
						w.(http.Flusher).Flush()
					}
					close(arrived)
					<-r.Context().Done()
				})
				g, _ := u.guard(t, u.right())
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan *effect.Error)
				go func() {
					_, err := g.Fetch(ctx, get("/v1/x"))
					done <- err
				}()
				<-arrived
				stop(cancel, func() { g.End() })
				if err := <-done; code(err) != effect.Cancelled {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99999999999") })
	g, _ := u.guard(t, u.right())
	resp, err := g.Fetch(t.Context(), effect.HTTPRequest{Capability: "api", Method: "HEAD", Path: "/v1/x"})
	if err != nil || len(resp.Body) != 0 || resp.Status != 200 {
		t.Errorf("got %+v, %v", resp, err)
	}
}
