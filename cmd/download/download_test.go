package download_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/cmd/download"
)

const limit = 1 << 20

func patient() download.Config {
	return download.Config{Max: limit, Time: time.Minute, Idle: time.Minute}
}

// serve answers every request with h until the test ends.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// secure is an HTTPS server and the client that believes it.
func secure(t *testing.T, h http.HandlerFunc) (string, *http.Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL, download.Trusting(roots, 0, patient())
}

func TestTheWholeFileComes(t *testing.T) {
	want := bytes.Repeat([]byte("servlet "), limit/8)
	for name, h := range map[string]http.HandlerFunc{
		"announced": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(want))
		},
		"in chunks": func(w http.ResponseWriter, _ *http.Request) {
			w.Write(want[:1000])
			w.(http.Flusher).Flush()
			w.Write(want[1000:])
		},
	} {
		var came, size int64
		cfg := patient()
		cfg.Progress = func(c, s int64) {
			if c < came {
				t.Errorf("%s: the progress went back from %d to %d", name, came, c)
			}
			came, size = c, s
		}
		got, err := download.Fetch(t.Context(), serve(t, h), cfg)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		announced := map[string]int64{"announced": int64(len(want)), "in chunks": -1}[name]
		if came != int64(len(want)) || size != announced {
			t.Errorf("%s: the progress ended at %d of %d", name, came, size)
		}
	}
}

func TestAddressesThatAreNotFetchedFrom(t *testing.T) {
	asked := false
	base := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	for address, why := range map[string]string{
		"http://example.test/a.wasm":             "use https",
		"http://192.0.2.1/a.wasm":                "use https",
		"http://127.0.0.1.example.test/":         "use https",
		"http://localhost.example.test/":         "use https",
		"ftp://example.test/a":                   "use https",
		"file:///etc/passwd":                     "use https",
		"https://":                               "names no host",
		"https:///a":                             "names no host",
		"https://ana@example.test/a":             "user name or password",
		"https://ana:secret@example.test/a":      "user name or password",
		"https://example.test/a\x1b[2J":          "not ASCII",
		"https://example.test/a b":               "not ASCII",
		"https://exämple.test/":                  "not ASCII",
		"https://example.test:port/":             "port",
		"https://example.test/" + long:           "longer than",
		strings.Replace(base, "//", "//a:b@", 1): "user name or password",
	} {
		_, err := download.Fetch(t.Context(), address, patient())
		if !errors.Is(err, download.ErrAddress) || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.60q: %v, want %q", address, err, why)
		}
	}
	if asked {
		t.Error("a server was asked")
	}
}

var long = strings.Repeat("x", 3000)

// A name of this machine in the address is not enough: names lead where their owner wants.
func TestClearTextGoesNowhereElse(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"192.0.2.1:80": false, "10.0.0.1:80": false, "[2001:db8::1]:80": false, "0.0.0.0:80": false, "rubbish": false,
	} {
		if err := download.LoopbackOnly("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := download.DialPlain(t.Context(), patient(), "192.0.2.1:80"); !errors.Is(err, download.ErrAddress) {
		t.Errorf("dialled: %v", err)
	}
	base := serve(t, func(http.ResponseWriter, *http.Request) {})
	if err := download.DialPlain(t.Context(), patient(), strings.TrimPrefix(base, "http://")); err != nil {
		t.Error(err)
	}
}

func TestRedirects(t *testing.T) {
	var path []string
	answer := func(w http.ResponseWriter, r *http.Request) {
		path = append(path, r.URL.Path)
		if r.Referer() != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s was told %q", r.URL.Path, r.Header)
		}
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err == nil && n > 0 {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, fmt.Sprintf("/%d?token=canary", n-1), http.StatusFound)
			return
		}
		w.Write([]byte("file"))
	}
	base := serve(t, answer)
	got, err := download.Fetch(t.Context(), base+"/5?token=canary", patient())
	if err != nil || string(got) != "file" || len(path) != 6 {
		t.Errorf("%q after %v, %v", got, path, err)
	}
	path = nil
	_, err = download.Fetch(t.Context(), base+"/6?token=canary", patient())
	if !errors.Is(err, download.ErrRedirect) || strings.Contains(err.Error(), "canary") || len(path) != 6 {
		t.Errorf("after %v, %v", path, err)
	}

	for to, why := range map[string]string{
		"http://example.test/?token=canary":           "use https",
		"https://ana:canary@example.test/":            "user name or password",
		"ftp://example.test/":                         "use https",
		"file:///etc/passwd":                          "use https",
		"https:///canary":                             "names no host",
		strings.Replace(base, "//", "//a:canary@", 1): "user name or password",
	} {
		base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		_, err := download.Fetch(t.Context(), base, patient())
		if !errors.Is(err, download.ErrRedirect) || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", to, err, why)
		}
	}
}

func TestHTTPSNeverLeadsToHTTP(t *testing.T) {
	asked := false
	plain := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	base, client := secure(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/file" {
			w.Write([]byte("file"))
			return
		}
		http.Redirect(w, r, plain, http.StatusFound)
	})
	if got, err := download.FetchWith(t.Context(), client, base+"/file", patient()); err != nil || string(got) != "file" {
		t.Fatalf("%q, %v", got, err) // the rest would prove nothing
	}
	_, err := download.FetchWith(t.Context(), client, base, patient())
	if !errors.Is(err, download.ErrRedirect) || !strings.Contains(err.Error(), "from https to http") || asked {
		t.Errorf("asked %v, %v", asked, err)
	}
	// The other way is fine.
	up := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, base+"/file", http.StatusFound) })
	if got, err := download.FetchWith(t.Context(), client, up, patient()); err != nil || string(got) != "file" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestServersThatAreNotBelieved(t *testing.T) {
	served := false
	h := func(http.ResponseWriter, *http.Request) { served = true }
	base, _ := secure(t, h)
	if _, err := download.Fetch(t.Context(), base, patient()); !errors.Is(err, download.ErrUnreachable) {
		t.Errorf("an authority that this system does not know: %v", err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(h))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, err := download.FetchWith(t.Context(), download.Trusting(roots, 0, patient()), s.URL, patient()); !errors.Is(err, download.ErrUnreachable) {
		t.Errorf("TLS 1.1: %v", err)
	}
	if served {
		t.Error("a request was sent")
	}
	gone := httptest.NewServer(http.HandlerFunc(h))
	gone.Close()
	if _, err := download.Fetch(t.Context(), gone.URL+"/?token=canary", patient()); !errors.Is(err, download.ErrUnreachable) || strings.Contains(err.Error(), "canary") {
		t.Errorf("no server: %v", err)
	}
}

func TestAnswersThatAreNoFile(t *testing.T) {
	more := bytes.Repeat([]byte{1}, limit+1)
	for _, row := range []struct {
		name string
		want error
		says string
		h    http.HandlerFunc
	}{
		{"not found", download.ErrStatus, "404 Not Found", http.NotFound},
		{"a part", download.ErrStatus, "206", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }},
		{"nothing new", download.ErrStatus, "304", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }},
		{"a redirect to nowhere", download.ErrStatus, "302", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }},
		{"compressed", download.ErrStatus, "compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("x"))
		}},
		{"announced as too large", download.ErrTooLarge, "1 MiB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(int64(10)<<30))
			w.WriteHeader(http.StatusOK)
		}},
		{"one byte too many, not announced", download.ErrTooLarge, "1 MiB", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(more)
		}},
		{"endless", download.ErrTooLarge, "1 MiB", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(more); err != nil {
					return
				}
			}
		}},
		{"cut, announced", download.ErrIncomplete, "after 100 bytes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write(more[:100])
		}},
		{"cut, in chunks", download.ErrIncomplete, "after 100 bytes", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(more[:100])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{"an endless header", download.ErrUnreachable, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := download.Fetch(t.Context(), serve(t, row.h)+"/?token=canary", patient())
			if got != nil || !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestSlowServers(t *testing.T) {
	const idle = 50 * time.Millisecond
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(idle / 10)
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stall := func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	around := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(idle / 2)
		http.Redirect(w, r, "/", http.StatusFound)
	}
	for name, row := range map[string]struct {
		h          http.HandlerFunc
		time, idle time.Duration
		says       string
	}{
		"a byte now and then": {drip, 3 * idle, time.Minute, "not done after"},
		"no answer":           {hang, time.Minute, idle, "silent for"},
		"no more":             {stall, time.Minute, idle, "silent for"},
		"slow redirects":      {around, idle, time.Minute, "not done after"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := download.Fetch(t.Context(), serve(t, row.h), download.Config{Max: limit, Time: row.time, Idle: row.idle})
			if !errors.Is(err, download.ErrTimeout) || !strings.Contains(err.Error(), row.says) {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := download.Fetch(ctx, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}), patient())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := download.Fetch(t.Context(), serve(t, drip), download.Config{}); !errors.Is(err, download.ErrTimeout) {
		t.Errorf("no limits: %v", err)
	}
}

// Silence is counted from the last byte, not from the first.
func TestASlowServerThatGoesOnIsWaitedFor(t *testing.T) {
	t.Parallel()
	const idle = 2 * time.Second
	base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 4 {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(idle * 3 / 10)
		}
	})
	if got, err := download.Fetch(t.Context(), base, download.Config{Max: limit, Time: time.Minute, Idle: idle}); err != nil || string(got) != "xxxx" {
		t.Errorf("%q, %v", got, err)
	}
}

// A query may be what gives access, so it is neither shown nor remembered.
func TestAnAddressIsRememberedWithoutItsQuery(t *testing.T) {
	for address, want := range map[string]string{
		"https://example.test/a.wasm":             "https://example.test/a.wasm",
		"https://example.test/a.wasm#part":        "https://example.test/a.wasm",
		"https://example.test/a.wasm?token=x&y=z": "https://example.test/a.wasm?...",
		"https://example.test/?":                  "https://example.test/?...",
	} {
		a, err := download.Parse(address)
		if err != nil || a.String() != want || download.Shortened(a.String()) != strings.HasSuffix(want, "?...") {
			t.Errorf("%s: %q, %v", address, a, err)
		}
	}
	for source, want := range map[string]bool{
		"https://x": true, "HTTP://x": true, "ftp://x": true, "file:///x": true,
		"a.wasm": false, "./https:/x": false, "/a/b": false, "C:\\a": false, "": false, "://x": false, "a b://c": false,
	} {
		if download.Is(source) != want {
			t.Errorf("%q is an address: %v", source, !want)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"https://example.test/a?b#c", "http://[::1]:8/", "https://a:b@c/", "http://localhost@evil.test/", "https://x/%zz", "//x", "https://[fe80::1%25eth0]/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := download.Parse(text)
		if err != nil {
			if !errors.Is(err, download.ErrAddress) || a.String() != "" {
				t.Errorf("%q: %q, %v", text, a, err)
			}
			return
		}
		s := a.String()
		if strings.Contains(s, "@") && strings.Contains(strings.SplitN(s, "/", 4)[2], "@") {
			t.Errorf("%q keeps a user: %s", text, s)
		}
		if !download.Shortened(s) {
			if b, err := download.Parse(s); err != nil || b.String() != s {
				t.Errorf("%q is remembered as %q, which reads as %q, %v", text, s, b, err)
			}
		}
	})
}

// The client's own words for a redirect that it cannot read have all of it.
func TestUnreadableRedirectsAreNotShown(t *testing.T) {
	for _, to := range []string{"https://h:port/?token=canary", "https://h/%zz?token=canary", ":?token=canary", "https://[::1/?token=canary"} {
		at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"] = []string{to}
			w.WriteHeader(http.StatusFound)
		})
		_, err := download.Fetch(t.Context(), at+"/x?key=canary", patient())
		if !errors.Is(err, download.ErrRedirect) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", to, err)
		}
	}
}
