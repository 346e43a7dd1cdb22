package modules

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var pages = attack.Row{
	ID:    "A19",
	Title: "URLs of the open web that lead to this machine, its network, another protocol or somebody's account",
	Mutants: []string{
		"web-granted", "web-method", "web-method-granted", "web-scheme", "web-user", "web-name", "web-inner", "web-port", "web-header", "web-body", "web-redirect",
		"web-backslash", "dial-address", "dial-socket",
	},
	Run: func(r *attack.Report) {
		pagesRefused(r)
		pagesElsewhere(r)
		pagesRedirected(r)
	},
}

const (
	noName   = "the host must be a public DNS name: no IP address, no name of this machine or of an inner network (xn-- for other scripts)"
	noPage   = "the URL is malformed: want a full one such as https://example.com/page"
	noScheme = "only http and https pages may be fetched"
	noUser   = "a URL with a user name or a password may not be fetched"
	noPort   = "this port is another protocol's: pages may not be fetched from it"
	noHeader = "a header is not allowed: a page is fetched without credentials, cookies or fields of an application's own"
	noPlace  = "the page's host is at an address that may not be reached: only public ones may"
)

// web grants pages with the methods of a manifest, and one that no manifest can ask for.
var web = capabilities.Policy{
	Limits: capabilities.DefaultLimits, Rights: capabilities.Rights{Web: &capabilities.WebRight{Methods: []string{"GET", "POST"}}},
}

// page asks for a URL, with more members in the head.
func page(up *target.Upstream, p capabilities.Policy, url, more string, want effect.Code, text string) error {
	g, err := target.Guard(p, up.Network)
	if err != nil {
		return err
	}
	defer g.End()
	head := fmt.Sprintf(`{"url":%q,"method":"GET"}`, url)
	if more != "" {
		head = fmt.Sprintf(`{"url":%q,%s}`, url, more)
	}
	out, err := target.Run(target.Reset, starter("web_start"), target.Call(g, []byte(head)...))
	if err != nil {
		return err
	}
	return target.Output(out, append(code(want), text...))
}

// unsent wants that nothing was looked up and nothing reached.
func unsent(up *target.Upstream, err error) error {
	if up.Lookups.Load()+up.Hits.Load() > 0 {
		err = errors.Join(err, fmt.Errorf("%d lookups, %d requests", up.Lookups.Load(), up.Hits.Load()))
	}
	return err
}

// pagesRefused are URLs that are refused for what they are. The server would answer all of them: each
// name resolves to it, and its address is one that this guard may dial.
func pagesRefused(r *attack.Report) {
	refused := map[string][]string{
		noName: {"https://127.0.0.1:PORT/", "https://127.1:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0177.0.0.1:PORT/",
			"https://[::1]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://localhost:PORT/", "https://LOCALHOST.:PORT/",
			"https://intranet:PORT/", "https://169.254.169.254:PORT/", "https://printer.local:PORT/", "https://db.internal:PORT/", "https://metadata.google.internal:PORT/"},
		noScheme: {"ftp://example.com:PORT/", "gopher://example.com:PORT/_x", "file://example.com/etc/passwd", "ws://example.com:PORT/"},
		noUser:   {"https://ana@example.com:PORT/", "https://ana:pass@example.com:PORT/", "https://example.com@example.org:PORT/"},
		noPort:   {"http://example.com:25/", "http://example.com:22/", "https://example.com:6667/", "http://example.com:6379/", "http://example.com:2375/"},
		noPage:   {"", "//example.com:PORT/", "example.com/", `https://example.com:PORT/\@127.0.0.1/`, `https://example.com:PORT\x`},
	}
	for text, urls := range refused {
		want := effect.Denied
		if text == noPage {
			want = effect.Invalid
		}
		for _, url := range urls {
			r.Variant(fmt.Sprintf("%q", url), func() error {
				up := target.NewUpstream(nil)
				defer up.Stop()
				_, port, _ := strings.Cut(strings.TrimPrefix(up.Origin, "https://"), ":")
				return unsent(up, page(up, web, strings.ReplaceAll(url, "PORT", port), "", want, text))
			})
		}
	}
	for name, c := range map[string]struct {
		policy     capabilities.Policy
		more, text string
		want       effect.Code
	}{
		"where the web is not granted":        {capabilities.Policy{Limits: capabilities.DefaultLimits}, "", "the web is not granted", effect.Denied},
		"with a method that changes things":   {web, `"method":"POST"`, "the method is not granted", effect.Denied},
		"with a method that was not granted":  {web, `"method":"HEAD"`, "the method is not granted", effect.Denied},
		"with somebody's credentials":         {web, `"method":"GET","headers":[["Authorization","Bearer x"]]`, noHeader, effect.Invalid},
		"with a field of a cloud's own":       {web, `"method":"GET","headers":[["X-aws-ec2-metadata-token","x"]]`, noHeader, effect.Invalid},
		"with a cookie beside a field of use": {web, `"method":"GET","headers":[["Accept","*/*"],["Cookie","a=b"]]`, noHeader, effect.Invalid},
	} {
		r.Variant(name, func() error {
			up := target.NewUpstream(nil)
			defer up.Stop()
			return unsent(up, page(up, c.policy, up.Origin+"/", c.more, c.want, c.text))
		})
	}
	r.Variant("with a body", func() error {
		up := target.NewUpstream(nil)
		defer up.Stop()
		g, err := target.Guard(web, up.Network)
		if err != nil {
			return err
		}
		defer g.End()
		_, refusal := g.FetchPage(context.Background(), effect.WebRequest{Method: "GET", URL: up.Origin + "/", Body: []byte("x")})
		if refusal == nil || refusal.Code != effect.Invalid {
			err = fmt.Errorf("answered %v", refusal)
		}
		return unsent(up, err)
	})
}

// pagesElsewhere are good URLs whose names lead where no page is.
func pagesElsewhere(r *attack.Report) {
	for name, addresses := range map[string]string{
		"loopback": "127.0.0.1", "mapped loopback": "::ffff:127.0.0.1", "every address": "0.0.0.0", "loopback and a public address": "127.0.0.1 93.184.216.34",
	} {
		r.Variant("a name of "+name, func() error {
			up := target.NewUpstream(nil)
			defer up.Stop()
			up.Network.Loopback = nil
			up.Network.Lookup = func(context.Context, string) (list []netip.Addr, err error) {
				for text := range strings.FieldsSeq(addresses) {
					list = append(list, netip.MustParseAddr(text))
				}
				return list, nil
			}
			err := page(up, web, up.Origin+"/", "", effect.Denied, noPlace)
			if up.Hits.Load() > 0 {
				err = errors.Join(err, fmt.Errorf("%d requests", up.Hits.Load()))
			}
			return err
		})
	}
	r.Variant("the control: a page", func() error {
		up := target.NewUpstream(nil)
		defer up.Stop()
		err := page(up, web, up.Origin+"/", "", effect.OK, "")
		if up.Hits.Load() != 1 {
			err = errors.Join(err, fmt.Errorf("%d requests; want 1", up.Hits.Load()))
		}
		return err
	})
}

// pagesRedirected are good pages that lead on to what is none.
func pagesRedirected(r *attack.Report) {
	const refusal = "the server redirected to a place that is refused: "
	for location, text := range map[string]string{
		"https://127.0.0.1:PORT/": refusal + noName, "https://[::1]:PORT/": refusal + noName, "https://localhost:PORT/": refusal + noName,
		"https://ana@example.com:PORT/": refusal + noUser, "file:///etc/passwd": refusal + noScheme, "http://example.com:25/": refusal + noPort,
	} {
		r.Variant("a redirect to "+location, func() error {
			to := ""
			up := target.NewUpstream(func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, to, http.StatusFound) })
			defer up.Stop()
			_, port, _ := strings.Cut(strings.TrimPrefix(up.Origin, "https://"), ":")
			to = strings.ReplaceAll(location, "PORT", port)
			err := page(up, web, up.Origin+"/", "", effect.Denied, text)
			if up.Hits.Load() != 1 {
				err = errors.Join(err, fmt.Errorf("%d requests; want 1", up.Hits.Load()))
			}
			return err
		})
	}
}
