package servlet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/servlettest"
)

func init() {
	servlet.AddTool(servlet.Tool{Name: "page", Description: "for tests"}, func(ctx context.Context, in nameArgument) (servlet.Result, error) {
		p, err := servlet.FetchPage(ctx, servlet.PageRequest{URL: in.Name, Header: servlet.Header{"Accept": {"text/html"}}})
		if errors.Is(err, servlet.ErrDenied) {
			return servlet.Text("denied"), nil
		}
		return servlet.Text(fmt.Sprintf("%s %d %s", p.URL, p.Status, p.Body)), err
	})
}

func TestFetchPage(t *testing.T) {
	web := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "//b.test/new?x=1#y", http.StatusFound)
		case "/inner":
			http.Redirect(w, r, "http://localhost/", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/gone":
			http.NotFound(w, r)
		default:
			fmt.Fprintf(w, "%s %s as %s", r.Method, r.URL, r.Header.Get("Accept"))
		}
	})
	s := servlettest.New(t, servlettest.Host{Web: web})
	for url, want := range map[string]string{
		"https://a.test/x?y":     "https://a.test/x?y 200 GET https://a.test/x?y as text/html",
		"https://a.test/moved":   "https://b.test/new?x=1 200 GET https://b.test/new?x=1 as text/html",
		"https://a.test/gone":    "https://a.test/gone 404 404 page not found\n",
		"https://a.test/inner":   "denied",
		"ftp://a.test/":          "denied",
		"https://ana@a.test/":    "denied",
		"a.test":                 "GET a.test: the URL is malformed: want a full one such as https://example.com/page",
		"https://a.test/loop":    "GET https://a.test/loop: the server redirected too often",
		"http://localhost:8080/": "denied",
	} {
		if got := s.Call("page", nameArgument{Name: url}).Text(); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
	if got := servlettest.New(t, servlettest.Host{}).Call("page", nameArgument{Name: "https://a.test/"}).Text(); got != "denied" {
		t.Errorf("without a grant: %q", got)
	}
}
