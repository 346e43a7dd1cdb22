package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Times of the server.
const (
	requestTime = 10 * time.Second
	idleTime    = time.Minute
	stopTime    = time.Second
	probeBytes  = 16 << 10
)

// Page is what is served.
type Page struct {
	Set *Set
	// Ready is nil when clients can be served; what it says otherwise goes to the log, and not to whoever
	// asks. It is given as long as a request may take.
	Ready  func(ctx context.Context) error
	Logger *slog.Logger // nil: discard
}

// Serve serves /metrics, /healthz and /readyz on l until ctx ends, and closes l. Whoever reaches the
// listener may read: it names spaces, servlets and tools, and nothing that was said to them.
//
// On a loopback listener a request must name a loopback host, so that no web page reads it through a name
// of its own.
func (p Page) Serve(ctx context.Context, l net.Listener) error {
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var page bytes.Buffer
		if _, err := p.Set.WriteTo(&page); err != nil {
			http.Error(w, "the metrics cannot be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", ContentType)
		_, _ = page.WriteTo(w) // nobody is left to be told
	})
	mux.HandleFunc("GET /healthz", Healthy)
	mux.HandleFunc("GET /readyz", ReadyHandler(p.Ready, p.Logger))
	server := &http.Server{
		Handler:     p.fromHere(l.Addr(), mux),
		ReadTimeout: requestTime, WriteTimeout: 2 * requestTime, IdleTimeout: idleTime, MaxHeaderBytes: probeBytes,
		ErrorLog: slog.NewLogLogger(p.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving metrics: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving metrics: %w", err)
	}
	return nil
}

// fromHere refuses a foreign host name on a loopback listener.
func (p Page) fromHere(address net.Addr, next http.Handler) http.Handler {
	tcp, ok := address.(*net.TCPAddr)
	local := ok && tcp.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if local && !loopbackHost(r.Host) {
			http.Error(w, "not a host of this listener", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// Healthy answers that the process answers.
func Healthy(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// ReadyHandler answers 200 when ready returns nil, else 503. Whether it does is logged when it changes: what
// asks may ask every second, and anybody may.
func ReadyHandler(ready func(context.Context) error, log *slog.Logger) http.HandlerFunc {
	var failing atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		if ready == nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		if err := ready(ctx); err != nil {
			// Who asked and left did not wait for the answer.
			if r.Context().Err() == nil && !failing.Swap(true) {
				log.Warn("not ready", "error", err)
			}
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		if failing.Swap(false) {
			log.Info("ready again")
		}
		_, _ = io.WriteString(w, "ready\n")
	}
}
