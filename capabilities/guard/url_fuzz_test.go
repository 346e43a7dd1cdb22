package guard

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// FuzzURL writes URLs as a plug-in might. One that is allowed says so at its very beginning, in any
// reader's eyes, and what is asked for is below a granted path.
func FuzzURL(f *testing.F) {
	for _, text := range []string{
		"https://api.example.com/v1/a?q=1#x", "HTTPS://API.EXAMPLE.COM:443/v1/", "https://api.example.com", "https://api.example.com:444/v1/",
		"https://api.example.com@evil.test/v1/", "https://api.example.com\\@evil.test/v1/", "https://api.example.com./v1/", "//api.example.com/v1/",
		"https:api.example.com/v1/", "https:///api.example.com/v1/", "https://api.example.com/v1/%2e%2e/x", "https://api.example.com/v1/a b?ü",
		"https://api%2eexample.com/v1/", "https://[::1]/v1/", "https://api.example.com:0443/v1/", "\thttps://api.example.com/v1/", "https://api.example.com?/v1/",
	} {
		f.Add(text)
	}
	g := &Guard{policy: capabilities.Policy{Rights: capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{
		"api": {Origin: "https://api.example.com", Methods: []string{"GET"}, Paths: []string{"/v1/"}},
	}}}}
	f.Fuzz(func(t *testing.T, text string) {
		req, refusal := g.named(effect.HTTPRequest{URL: text, Method: "GET"})
		if refusal != nil {
			return
		}
		lower := strings.ToLower(text)
		rest, ok := strings.CutPrefix(lower, "https://api.example.com")
		rest = strings.TrimPrefix(rest, ":443")
		if !ok || !strings.HasPrefix(strings.TrimPrefix(rest, ":"), "/v1/") {
			t.Errorf("%q is allowed", text)
		}
		x, no := g.match(req)
		if no != nil || x.origin != (origin{"https", "api.example.com"}) || !strings.HasPrefix(x.path, "/v1/") || strings.Contains(x.decoded, "/../") {
			t.Errorf("%q asks for %+v %v", text, x.page, no)
		}
	})
}
