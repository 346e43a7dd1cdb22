package toolchain_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// pagesHost has the web and one site, and says which of them it was asked for.
type pagesHost struct{ scriptHost }

func (pagesHost) FetchPage(_ context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
	if strings.Contains(req.URL, "127.0.0.1") {
		return effect.WebResponse{}, &effect.Error{Code: effect.Denied, Text: "the host must be a public DNS name"}
	}
	raw, _ := json.Marshal(req)
	return effect.WebResponse{URL: "https://moved.example.com/", HTTPResponse: effect.HTTPResponse{Status: 200, Body: raw}}, nil
}

// Where servlet.toml requests the web, fetch takes any URL; one of a site that it requests is still
// asked for there, where the operator's choice and the secrets are.
func TestScriptFetchesPages(t *testing.T) {
	s, err := buildScript("testdata/pages")
	if err != nil {
		t.Fatal(err)
	}
	if kinds := s.servlet.Manifest().Capabilities.Kinds(); !slices.Contains(kinds, capabilities.KindWeb) {
		t.Fatalf("it requests %v", kinds)
	}
	host := pagesHost{scriptHost{site: site{fetch: func(_ context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		return effect.HTTPResponse{Status: 200, Body: []byte("the site, " + req.Path)}, nil
	}}}}
	for _, row := range []struct{ name, arguments, want string }{
		{"any page", `{"url":"https://EN.wikipedia.org:443/wiki/ä?x=1 2#part","headers":{"Accept":"text/html"}}`,
			`200 https://moved.example.com/ {"Method":"GET","URL":"https://en.wikipedia.org/wiki/%C3%A4?x=1%202","Header":[{"Name":"accept","Value":"text/html"}],"Body":`},
		{"a page of plain http", `{"url":"http://example.org/"}`, `"URL":"http://example.org/"`},
		{"a page of a requested site", `{"url":"https://api.example.com/v1/x"}`, `200 https://api.example.com/v1/x the site, /v1/x`},
		{"a refusal", `{"url":"https://127.0.0.1/"}`, `HostError denied fetch https://127.0.0.1/: the host must be a public DNS name`},
	} {
		t.Run(row.name, func(t *testing.T) {
			text, _ := textOf(t, s.code.Run(t.Context(), scriptCall(host, "fetch", row.arguments)))
			if !strings.Contains(text, row.want) {
				t.Errorf("got %s, want %s", text, row.want)
			}
		})
	}
}
