package mcpserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/writ-run/writ/capabilities"
)

// refusal is an HTTP answer to a request that is not let in.
type refusal struct {
	status    int
	text      string
	challenge string        // WWW-Authenticate; empty: none
	retry     time.Duration // Retry-After; zero: none
}

// write answers a request with the refusal. Its text is a JSON-RPC error, which clients show to whoever set
// them up; of plain text, most show the status alone. Without the id null, which says that the request was not
// read, they do not take it for an error.
func (no *refusal) write(w http.ResponseWriter) {
	if no.challenge != "" {
		w.Header().Set("WWW-Authenticate", no.challenge)
	}
	if no.retry > 0 {
		seconds := int64((no.retry + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		w.Header().Set("Connection", "close") // to whoever sends too much, a connection is not kept
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(no.status)
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": nil, "error": &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: no.text}})
	if err != nil {
		panic("BUG: an error does not encode: " + err.Error())
	}
	_, _ = w.Write(body) // when this fails, nobody is left to be told
}

// admitted decides by its headers whether a request was meant for this server. It stops web pages, which
// can make a browser send requests: under a name of their own that they point at the server's address
// (DNS rebinding), or across origins. There is no CORS header anywhere: no web page of another origin may
// read an answer.
func (f *front) admitted(r *http.Request, asks bool) *refusal {
	if !f.access.throughProxy(r) {
		return &refusal{status: http.StatusForbidden, text: "requests are taken from the proxy alone; use the address that it serves"}
	}
	if !f.ownHost(r) {
		return &refusal{status: http.StatusMisdirectedRequest, text: "the Host header names another server; use the address that Writ is served under"}
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host"} {
		if !asks && r.Header.Get(name) != "" {
			// A proxy or tunnel lets others reach a server that asks nobody who they are.
			return &refusal{status: http.StatusForbidden, text: "the request came through a proxy (" + name + "), which " + ErrNotLoopback.Error()}
		}
	}
	if proto := r.Header.Get("X-Forwarded-Proto"); f.access.Proxied && proto != "" && !strings.EqualFold(proto, "https") {
		return &refusal{status: http.StatusForbidden, text: "the request reached the proxy without TLS; a key sent that way is known to others: rotate it, and use https"}
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 || len(origins) == 1 && !f.ownOrigin(origins[0], r.Host, r.TLS != nil) {
		return &refusal{status: http.StatusForbidden, text: "the request comes from a web page of another origin"}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		// same-site is another port of this machine.
		if site != "same-origin" && site != "none" {
			return &refusal{status: http.StatusForbidden, text: "the request comes from a web page of another origin"}
		}
	}
	return nil
}

// spaceOf reads the space from a path, or returns false for a path that is no endpoint.
func spaceOf(path, byDefault string) (string, bool) {
	if path == "/mcp" {
		return byDefault, true
	}
	rest, ok := strings.CutPrefix(path, "/s/")
	if !ok {
		return "", false
	}
	name, ok := strings.CutSuffix(rest, "/mcp")
	return name, ok && capabilities.ValidSpace(name) == nil
}
