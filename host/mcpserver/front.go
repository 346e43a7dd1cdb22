package mcpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/rate"
	"github.com/writ-run/writ/registry"
)

// front stands before the SDK's handlers: it lets in, reads, and chooses the handler of the era.
type front struct {
	spaces    *spaces
	streaming context.Context // ends when open streams must
	logger    *slog.Logger
	listener  *net.TCPAddr
	access    Access
	attempts  attempts
	visits    visits
	uses      uses
	load      *load
	streams   streams
	// storeReady answers /readyz while the server takes requests; draining says that it was logged that it
	// does not.
	storeReady http.HandlerFunc
	draining   atomic.Bool
	uploads    shares
	asking     *rate.Limiter // how often sessions and lists are asked for

	mu        sync.Mutex // guards endpoints
	endpoints map[string]*endpoint
}

// endpoint has the SDK's handlers of one space. Sessions belong to it, so that a session of one
// space is unknown in every other.
type endpoint struct {
	space    *space
	load     *load
	plain    http.Handler // 2026-07-28, one JSON answer
	stream   http.Handler // 2026-07-28, an event stream: progress, subscriptions
	sessions http.Handler // before
}

func (f *front) endpoint(ctx context.Context, name string) (*endpoint, error) {
	sp, err := f.spaces.open(ctx, name, false)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.endpoints[name]; e != nil {
		return e, nil
	}
	server := func(*http.Request) *mcp.Server { return sp.mcp }
	handler := func(opts mcp.StreamableHTTPOptions) http.Handler {
		opts.MaxRequestBodyBytes = maxBodyBytes
		opts.PropagateRequestCancellation = true
		opts.DisableLocalhostProtection = true // ownHost decides, and knows the public address
		return mcp.NewStreamableHTTPHandler(server, &opts)
	}
	e := &endpoint{
		space:    sp,
		load:     newLoad(2),
		plain:    handler(mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}),
		stream:   handler(mcp.StreamableHTTPOptions{Stateless: true}),
		sessions: handler(mcp.StreamableHTTPOptions{SessionTimeout: streamedTime}),
	}
	f.endpoints[name] = e
	return e, nil
}

// ServeHTTP answers one HTTP request.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	control := http.NewResponseController(w)
	// For what is written before a handler runs; an answer times its own writes.
	_ = control.SetWriteDeadline(time.Now().Add(bodyTime + writeTime))
	if r.ContentLength != 0 {
		// The server reads a body that its handler left before it sends the answer. Without a deadline a
		// stranger who announces one and never sends it has the connection, and with a few hundred of them
		// keeps everybody out. Who reads the body sets another.
		_ = control.SetReadDeadline(time.Now().Add(unreadTime))
	}
	if f.probe(w, r) {
		return
	}
	who, refused := f.letIn(w, r)
	if refused != nil {
		refused.write(w)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), identityKey{}, who))
	id := r.Header.Get("Mcp-Session-Id")
	session := id != ""
	switch {
	case r.Method == http.MethodPost:
	case session && (r.Method == http.MethodGet || r.Method == http.MethodDelete):
	default:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send MCP messages with POST", http.StatusMethodNotAllowed)
		return
	}
	end, err := f.endpoint(r.Context(), who.by.Space)
	switch {
	case errors.Is(err, errNoSpace):
		http.Error(w, "no servlet is installed in the space "+quote(who.by.Space), http.StatusNotFound)
	case err != nil:
		http.Error(w, "Writ could not open the space; its log has the reason", http.StatusServiceUnavailable)
	case session:
		leave, ok := end.space.enter(id, who)
		if !ok {
			http.Error(w, "session not found", http.StatusNotFound) // the words for one that there is not
			return
		}
		defer leave()
		f.serveMethod(w, r, end, who)
	default:
		f.serveMethod(w, r, end, who)
	}
}

func (f *front) serveMethod(w http.ResponseWriter, r *http.Request, end *endpoint, who identity) {
	switch {
	case r.Method == http.MethodPost:
		f.post(w, r, end, who)
	default:
		f.serveStream(w, r, end.sessions, who)
	}
}

// letIn judges a request by its headers and its path: whether it was meant for this server, who it comes
// from, and whether they may use the space that it names.
func (f *front) letIn(w http.ResponseWriter, r *http.Request) (identity, *refusal) {
	asks, err := f.asks(r.Context())
	if err != nil {
		f.logger.Error("reading keys", "error", err)
		return identity{}, &refusal{status: http.StatusServiceUnavailable, text: "Writ could not read its keys; its log has the reason"}
	}
	if refused := f.admitted(r, asks); refused != nil {
		return identity{}, refused
	}
	var key registry.AccessKey
	if asks {
		var refused *refusal
		began := time.Now()
		key, refused = f.identify(w, r)
		f.spaces.server.cfg.Metrics.Authenticated(refused == nil, time.Since(began))
		if refused != nil {
			return identity{}, refused
		}
	}
	space, ok := spaceOf(r.URL.Path, capabilities.DefaultSpace)
	if !ok {
		return identity{}, &refusal{status: http.StatusNotFound, text: "not an endpoint; MCP is served at /mcp and /s/<space>/mcp"}
	}
	return f.enter(key, asks, space)
}

// post reads one message and judges it.
func (f *front) post(w http.ResponseWriter, r *http.Request, end *endpoint, who identity) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		// A web page can send text/plain and forms across origins without asking; never JSON.
		http.Error(w, "Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	if !acceptsBoth(r.Header.Values("Accept")) {
		http.Error(w, "Accept must list application/json and text/event-stream", http.StatusNotAcceptable)
		return
	}
	done, refused := f.makeRoom(r, end, who)
	if refused != nil {
		refused.write(w)
		return
	}
	defer done()
	body, refused := readBody(w, r)
	if refused != nil {
		refused.write(w)
		return
	}
	msg, wrong := parseMessage(body)
	status := http.StatusBadRequest
	if wrong == nil {
		wrong = checkHeaders(&msg, r.Header, end.space.current())
	}
	if wrong == nil {
		wrong, status = f.judge(w.Header(), &msg, len(body), end, who)
	}
	if wrong != nil {
		writeError(w, status, &msg, wrong)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	f.dispatch(w, r, end, &msg, who)
}

// judge decides whether a client may ask for what a message of a size asks for, now.
func (f *front) judge(answer http.Header, msg *message, size int, end *endpoint, who identity) (wrong *jsonrpc.Error, status int) {
	switch msg.method {
	case "initialize":
		if size > maxHelloBytes {
			return invalidRequest(fmt.Sprintf("an initialize message is at most %d KiB long", maxHelloBytes>>10)), http.StatusRequestEntityTooLarge
		}
		if len(slices.Collect(end.space.mcp.Sessions())) >= maxSessions {
			return internalError("too many open sessions"), http.StatusServiceUnavailable
		}
	case "tools/call":
		if !who.by.MayCall() {
			answer.Set("WWW-Authenticate", realm+`, error="insufficient_scope"`)
			return notAllowed("call tools"), http.StatusForbidden
		}
	}
	if retry, ok := f.mayAsk(who, msg.method); !ok {
		seconds := int64((retry + time.Second - 1) / time.Second)
		answer.Set("Retry-After", strconv.FormatInt(seconds, 10))
		return &jsonrpc.Error{
			Code: jsonrpc.CodeInternalError, Message: fmt.Sprintf("the key asked for too many sessions and lists; try again in %d s", seconds),
		}, http.StatusTooManyRequests
	}
	return nil, 0
}

// dispatch gives a message to the handler of its era, and of the answer that it needs.
func (f *front) dispatch(w http.ResponseWriter, r *http.Request, end *endpoint, msg *message, who identity) {
	if msg.method == listenMethod {
		f.serveStream(w, r, end.stream, who)
		return
	}
	done, ok := request(msg.method == "tools/call", end.load, f.load)
	if !ok {
		w.Header().Set("Connection", "close") // to whoever sends too much, a connection is not kept
		writeError(w, http.StatusServiceUnavailable, msg, internalError("too many requests wait for an answer; send fewer at a time"))
		return
	}
	defer done()
	answer := &held{space: &end.load.out, all: &f.load.out}
	defer answer.end()
	modern := msg.modern() || r.Header.Get(versionHeader) == modernVersion
	if modern { // others reach the handler with the context of their session's first request
		r = r.WithContext(context.WithValue(r.Context(), heldKey{}, answer))
	}
	switch {
	case modern && msg.progress:
		serve(w, r, end.stream)
	case modern:
		serve(w, r, end.plain)
	default:
		serve(w, r, end.sessions)
	}
}

// writeError answers a message with a JSON-RPC error.
func writeError(w http.ResponseWriter, status int, msg *message, wrong *jsonrpc.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encodeError(msg.id, wrong)) // when this fails, nobody is left to be told
}

// serve runs a handler with an answer that is kept alive.
func serve(w http.ResponseWriter, r *http.Request, h http.Handler) {
	answer := newAnswer(w)
	defer answer.end()
	h.ServeHTTP(answer, r)
}

// serveStream runs a handler whose answer ends with the client or the server.
func (f *front) serveStream(w http.ResponseWriter, r *http.Request, h http.Handler, who identity) {
	done, ok := f.streams.open(who)
	if !ok {
		http.Error(w, "too many open streams", http.StatusServiceUnavailable)
		return
	}
	defer done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.streaming, cancel)()
	ctx, leave := f.begin(ctx, who)
	defer leave()
	serve(w, r.WithContext(ctx), h)
}

// makeRoom waits until a message of the announced size can be held.
func (f *front) makeRoom(r *http.Request, end *endpoint, who identity) (done func(), refused *refusal) {
	size := r.ContentLength
	if size < 0 || size > maxBodyBytes {
		size = maxBodyBytes // as much is read at most
	}
	if size < weighty {
		return func() {}, nil
	}
	done, err := f.uploads.take(r.Context(), size, who, &end.load.in, &f.load.in)
	if err != nil {
		return nil, &refusal{status: http.StatusServiceUnavailable, text: "large messages wait for an answer; send fewer at a time"}
	}
	return done, nil
}

// readBody reads a message of at most maxBodyBytes in at most bodyTime.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(bodyTime)); err != nil {
		return nil, &refusal{status: http.StatusInternalServerError, text: "the connection cannot be timed"}
	}
	body, err := readSized(http.MaxBytesReader(w, r.Body, maxBodyBytes), r.ContentLength)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("a message is at most %d MiB long", maxBodyBytes>>20)}
	case err != nil:
		return nil, &refusal{status: http.StatusBadRequest, text: "the message did not arrive whole"}
	}
	// The deadline would end a long call: the server reads ahead to notice a client that leaves.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, &refusal{status: http.StatusInternalServerError, text: "the connection cannot be timed"}
	}
	return body, nil
}

// readSized reads to the end. What is announced gets its room at once: growing leaves as much behind again
// for the collector.
func readSized(r io.Reader, announced int64) ([]byte, error) {
	if announced <= 0 || announced > maxBodyBytes {
		return io.ReadAll(r)
	}
	body := make([]byte, announced)
	n, err := io.ReadFull(r, body)
	if err == nil || err == io.EOF {
		return body[:n], nil
	}
	return nil, err
}

// acceptsBoth says whether a client takes both kinds of answer, as it must.
func acceptsBoth(values []string) bool {
	var plain, stream bool
	for _, entry := range strings.Split(strings.Join(values, ","), ",") {
		kind, _, _ := strings.Cut(entry, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "*/*":
			plain, stream = true, true
		case "application/json", "application/*":
			plain = true
		case "text/event-stream", "text/*":
			stream = true
		}
	}
	return plain && stream
}
