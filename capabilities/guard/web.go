package guard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// FetchPage gets one public page by its full URL, redirects included, under the capability web. It is
// Fetch with another match: no origin was chosen, so what bounds it is that a page is read (GET, HEAD,
// no body, no header that could be a credential) and that its host has a public name and address.
// Every hop is matched, counted, recorded and dialled as if it were a request of its own.
func (g *Guard) FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
	x, refusal := g.matchPage(req)
	if refusal != nil {
		g.decide(ctx, capabilities.KindWeb, req.Method, withoutQuery(req.URL), refusal.Text)
		return effect.WebResponse{}, refusal
	}
	answer, last, failed := g.exchange(ctx, x)
	if failed != nil {
		return effect.WebResponse{}, failed
	}
	where := last.target()
	if last.query != "" {
		where += "?" + last.query
	}
	return effect.WebResponse{URL: string(g.masked.clean([]byte(where))), HTTPResponse: answer}, nil
}

// webMethods are what a page can be asked for, whatever a grant says.
var webMethods = []string{http.MethodGet, http.MethodHead}

// webHeaders are the fields that a guest may set for a page: those that choose a form of it. The rest
// of requestHeaders, and X- fields, are where credentials go: a page is never fetched with any.
var webHeaders = []string{
	"accept", "accept-language", "cache-control", "dnt", "if-match", "if-modified-since", "if-none-match",
	"if-range", "if-unmodified-since", "pragma", "range", "user-agent",
}

// matchPage holds a request for a page against the grant, without touching the network.
func (g *Guard) matchPage(req effect.WebRequest) (exchange, *effect.Error) {
	right := g.policy.Rights.Web
	if right == nil {
		return exchange{}, denied("the web is not granted")
	}
	if !slices.Contains(webMethods, req.Method) || !slices.Contains(right.Methods, req.Method) {
		return exchange{}, denied("the method is not granted")
	}
	if len(req.Body) > 0 {
		return exchange{}, &effect.Error{Code: effect.Invalid, Text: "a page is read: its request has no body"}
	}
	to, err := parsePage(&url.URL{}, req.URL)
	if errors.Is(err, errURL) {
		return exchange{}, invalid(err)
	}
	if err != nil {
		return exchange{}, denied(err.Error())
	}
	for _, f := range req.Header {
		if !slices.Contains(webHeaders, strings.ToLower(f.Name)) {
			return exchange{}, invalid(errWebHeader)
		}
	}
	header, refusal := requestHeader(req.Header)
	if refusal != nil {
		return exchange{}, refusal
	}
	return exchange{kind: capabilities.KindWeb, method: req.Method, page: to, header: header}, nil
}

var (
	errURL       = errors.New("the URL is malformed: want a full one such as https://example.com/page")
	errScheme    = errors.New("only http and https pages may be fetched")
	errUserInfo  = errors.New("a URL with a user name or a password may not be fetched")
	errHost      = errors.New("the host must be a public DNS name: no IP address, no name of this machine or of an inner network (xn-- for other scripts)")
	errPort      = errors.New("this port is another protocol's: pages may not be fetched from it")
	errWebHeader = errors.New("a header is not allowed: a page is fetched without credentials, cookies or fields of an application's own")
)

// leadsTo is the page that an answer's Location means.
func (x exchange) leadsTo(location string) (page, error) {
	return parsePage(&url.URL{Scheme: x.origin.scheme, Host: x.origin.authority, Path: x.decoded, RawPath: x.path, RawQuery: x.query}, location)
}

// parsePage turns a URL into the one spelling that is recorded and sent, or refuses it. There is no
// path to match here, so a path may have any form that a server gave it; it is the host on which two
// readers must not differ. So it is a plain DNS name of at least two labels: an address in any spelling
// (127.1, 0x7f.1, 2130706433, ::ffff:7f00:1) is none, whoever would resolve it.
func parsePage(base *url.URL, text string) (page, error) {
	// Some readers take a backslash for a slash, which moves the end of the host.
	if text == "" || len(text) > maxURLPath+maxQuery || strings.Contains(text, `\`) {
		return page{}, errURL
	}
	u, err := base.Parse(encodeRest(text))
	switch {
	case err != nil:
		return page{}, errURL
	case u.Scheme == "":
		return page{}, errURL
	case u.Scheme != "http" && u.Scheme != "https":
		return page{}, errScheme
	case u.Opaque != "" || u.Host == "":
		return page{}, errURL
	case u.User != nil:
		return page{}, errUserInfo
	}
	to, err := pageOrigin(u)
	if err != nil {
		return page{}, err
	}
	p := page{origin: to, path: u.EscapedPath(), decoded: u.Path, query: encodeQuery(u.RawQuery)}
	if p.path == "" {
		p.path, p.decoded = "/", "/"
	}
	if len(p.path) > maxURLPath || len(p.query) > maxQuery || p.path[0] != '/' {
		return page{}, errURL
	}
	return p, nil
}

func pageOrigin(u *url.URL) (origin, error) {
	canonical, err := capabilities.ParseOrigin("https://" + u.Host)
	if err != nil {
		return origin{}, errHost
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(canonical, "https://"), ":")
	if capabilities.InnerDomain(host) != "" || slices.Contains(machineHosts, host) {
		return origin{}, errHost
	}
	to := origin{scheme: u.Scheme, authority: host}
	port := u.Port()
	if port != "" && foreignPort(port) {
		return origin{}, errPort
	}
	if usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]; port != "" && port != usual {
		to.authority += ":" + port
	}
	return to, nil
}

// foreignPort says that a page may not be fetched from a port: of those below 1024, which systems keep for
// their services, only the web's own two are the web's. Above it, those of the services in foreignPorts.
func foreignPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err != nil || n < 1024 && n != 80 && n != 443 || slices.Contains(foreignPorts, port)
}

// foreignPorts are those of well-known services from 1024 on that an HTTP request could be taken for (what
// a guest puts in a path would be a command there), or that answer HTTP and obey whoever reaches them:
// stores, queues, clusters, remote desktops. Ports that systems hand out to anybody, from 32768 on, say
// nothing. Source: IANA's registry of services; WHATWG Fetch, "bad port".
var foreignPorts = strings.Fields(`1080 1099 1433 1434 1521 1719 1720 1723 1883 2049 2181 2375 2376 2377 2379 2380 3128
	3260 3268 3269 3306 3389 3659 3690 4045 4190 4222 4369 5060 5061 5222 5269 5432 5433 5671 5672 5900 5901 5938 5984
	5985 5986 6000 6379 6380 6443 6566 6665 6666 6667 6668 6669 6679 6697 7000 7001 7199 7474 7687 8086 8200 8300 8301
	8302 8500 8529 8883 9042 9092 9100 9160 9200 9300 9418 10080 10250 10255 10256 11211 11434 15672 16379 25672 26257
	26379 27017 27018 27019 28015`)

// encodeRest percent-encodes what no URL holds as it is: space, other scripts, quotes and brackets. Left
// to the parser, one of these in a path would undo the escapes of all others. In a host it makes none.
func encodeRest(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= 0x80 || strings.IndexByte(" \"<>^`{|}", c) >= 0 {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// encodeQuery percent-encodes what checkQuery would refuse, as browsers send it.
func encodeQuery(query string) string {
	if checkQuery(query) == nil {
		return query
	}
	var b strings.Builder
	for i, c := range []byte(query) {
		switch {
		case isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@/?[]", c) >= 0,
			c == '%' && i+2 < len(query) && isHex(query[i+1]) && isHex(query[i+2]):
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// withoutQuery is what a record says of a URL that was refused: not the query, which can hold what a
// user typed, and no user name or password, also where the URL is malformed.
func withoutQuery(text string) string {
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	prefix, rest := "", text
	if scheme, after, ok := strings.Cut(text, ":"); ok && !strings.ContainsAny(scheme, `/\@`) {
		prefix, rest = scheme+":", after
	}
	authority := strings.TrimLeft(rest, `/\`)
	prefix += rest[:len(rest)-len(authority)]
	end := strings.IndexAny(authority, `/\`)
	if end < 0 {
		end = len(authority)
	}
	return prefix + authority[strings.LastIndexByte(authority[:end], '@')+1:]
}
