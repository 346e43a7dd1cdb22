package guard

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities/effect"
)

const userAgent = "writ" // unless the guest names itself

var errHeader = errors.New("a header is not allowed")

// requestHeaders are the fields that a guest may set, besides X- fields and those of interfaces that
// name their version ("Notion-Version"). It is a list of
// what is allowed because what is dangerous cannot be listed: routing (Host, Forwarded), framing
// (Transfer-Encoding, Content-Length, TE, Trailer), connections (Connection, Upgrade, Proxy-*),
// cookies, and whatever a server in between may invent.
var requestHeaders = []string{
	"accept", "accept-language", "authorization", "cache-control", "content-language", "content-type",
	"date", "dnt", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "idempotency-key", "last-event-id", "link", "pragma", "prefer",
	"range", "slug", "traceparent", "tracestate", "user-agent",
}

// singleHeaders may stand in a request once: two of them are read differently by different servers.
var singleHeaders = []string{
	"authorization", "content-type", "idempotency-key", "if-range", "range", "user-agent",
}

// steeringHeaders look like an application's own and steer servers all the same: where the request
// came from, which path it really means, and which method (a GET grant must not delete).
var steeringHeaders = []string{
	"x-accel", "x-amzn-oidc", "x-arr-", "x-authenticated", "x-aws-ec2-metadata", "x-client-ip",
	"x-cluster-client-ip", "x-ec2-metadata", "x-envoy", "x-forward", "x-goog-authenticated", "x-goog-iap",
	"x-google-metadata", "x-host", "x-http-", "x-metadata", "x-method-override", "x-ms-original", "x-original",
	"x-override", "x-proxy", "x-real", "x-remote", "x-rewrite", "x-sendfile", "x-true-client",
}

// answerHeaders are the fields of an answer that reach the guest, besides X- fields for limits and
// pages. Cookies, locations and what servers say about themselves do not.
var answerHeaders = []string{
	"accept-ranges", "age", "allow", "cache-control", "content-disposition", "content-language",
	"content-range", "content-type", "date", "deprecation", "etag", "expires", "last-modified", "link",
	"preference-applied", "request-id", "retry-after", "sunset", "vary", "x-request-id",
}

var answerPrefixes = []string{"ratelimit", "x-ratelimit", "x-rate-limit", "x-total", "x-page", "x-per-page", "x-next", "x-prev"}

// requestHeader checks a guest's fields and adds the host's own.
func requestHeader(fields []effect.Header) (http.Header, *effect.Error) {
	size := 0
	for _, f := range fields {
		size += len(f.Name) + len(f.Value)
	}
	if len(fields) > effect.MaxHeaders || size > effect.MaxHeaderBytes {
		return nil, &effect.Error{Code: effect.Limit, Text: "the request has more headers, or longer ones, than may be sent"}
	}
	header := http.Header{
		"User-Agent":      {userAgent},
		"Accept-Encoding": {"gzip"}, // ours alone: what is unpacked here is bounded here
	}
	seen := make(map[string]bool)
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		if !allowedInRequest(name) || !plainValue(f.Value) {
			return nil, invalid(errHeader)
		}
		if seen[name] && slices.Contains(singleHeaders, name) {
			return nil, invalid(errHeader)
		}
		if name == "user-agent" {
			header.Set(name, f.Value)
		} else {
			header.Add(name, f.Value)
		}
		seen[name] = true
	}
	return header, nil
}

func allowedInRequest(name string) bool {
	if !isToken(name) || strings.Contains(name, "_") { // some servers read "_" as "-"
		return false
	}
	if slices.Contains(requestHeaders, name) {
		return true
	}
	if strings.HasPrefix(name, "x-") {
		return !hasAnyPrefix(name, steeringHeaders)
	}
	version := strings.HasSuffix(name, "-version") || strings.HasSuffix(name, "-beta")
	return version && !strings.HasPrefix(name, "sec-") && !strings.HasPrefix(name, "proxy-")
}

// answerHeader keeps what a guest may see of an answer's header, in a stable order.
func answerHeader(header http.Header) []effect.Header {
	var fields []effect.Header
	total := 0
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		lower := strings.ToLower(name)
		if !slices.Contains(answerHeaders, lower) && !hasAnyPrefix(lower, answerPrefixes) {
			continue
		}
		for _, value := range header[name] {
			total += len(name) + len(value)
			if len(fields) == effect.MaxHeaders || total > effect.MaxHeaderBytes {
				return fields
			}
			if plainValue(value) {
				fields = append(fields, effect.Header{Name: lower, Value: value})
			}
		}
	}
	return fields
}

func hasAnyPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// isToken accepts lower-case names of letters, digits, "-" and "_".
func isToken(name string) bool {
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// plainValue accepts printable ASCII and tabs: no line break that would begin a header of its own.
func plainValue(value string) bool {
	for _, c := range []byte(value) {
		if c != '\t' && (c < 0x20 || c > 0x7e) {
			return false
		}
	}
	return true
}
