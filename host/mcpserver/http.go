package mcpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/writ-run/writ/host/metrics"
)

// Times of the HTTP server. None bounds a call: its deadline is its servlet's.
const (
	writeTime     = 30 * time.Second // to take one write of an answer
	idleTime      = 2 * time.Minute  // between requests of one connection
	keepAliveTime = 15 * time.Second // between signs of life on an open stream
	streamedTime  = 24 * time.Hour   // of silence, after which a session before 2026-07-28 ends, also one with an open stream
	recordTime    = 5 * time.Second  // to record which keys were used
)

// Times for a client to send a request, which tests shorten.
var (
	headerTime = 10 * time.Second // its header, and before it to agree on TLS
	bodyTime   = 30 * time.Second // its body
	unreadTime = 2 * time.Second  // the body of one that is refused before it is read
)

// ServeHTTP serves /mcp (space default) and /s/<space>/mcp on a listener until ctx ends, then drains: it
// takes no further request, and ready is false. Host and Origin of every request are checked, and who sends
// it as [Config].Access says. A listener beyond loopback is refused unless clients need a key
// (ErrNotLoopback) and TLS (ErrPlaintext). It closes l, and returns nil after ctx has ended.
//
// A client of 2026-07-28 cancels a call by closing its response. In a session of the older era a
// closed response cancels nothing, as its revisions say; notifications/cancelled does. Running calls
// may go on for [Config].Drain after ctx has ended and are then cancelled.
func (s *Server) ServeHTTP(ctx context.Context, l net.Listener) error {
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		l.Close()
		return fmt.Errorf("listening on %s: %w", l.Addr(), ErrNotLoopback)
	}
	access := s.cfg.Access
	if err := access.check(address); err != nil {
		l.Close()
		return err
	}
	if access.Certificate != nil {
		l = tls.NewListener(l, access.tlsConfig())
	}
	running, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()
	streaming, stopStreams := context.WithCancel(running)
	defer stopStreams()
	front := s.newFront(running, streaming, address)
	defer front.watch(ctx)()
	s.ready.Store(true)
	defer s.ready.Store(false)

	server := &http.Server{
		Handler:           front,
		BaseContext:       func(net.Listener) context.Context { return running },
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         newConnections(!address.IP.IsLoopback() && !access.Proxied).changed,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	s.ready.Store(false)
	stopStreams() // streams have no end of their own
	drain(server, s.cfg.Drain, stopCalls)
	front.endSessions()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// newFront makes the front of a listener: running ends when calls must stop now, streaming when streams must.
func (s *Server) newFront(running, streaming context.Context, address *net.TCPAddr) *front {
	f := &front{
		spaces: s.newSpaces(running), streaming: streaming, logger: s.cfg.Logger, listener: address,
		endpoints: map[string]*endpoint{}, load: newLoad(1), access: s.cfg.Access, asking: newAskRate(), storeReady: metrics.ReadyHandler(s.cfg.StoreReady, s.cfg.Logger),
		attempts: attempts{now: time.Now, all: map[netip.Prefix]attempter{}}, visits: visits{all: map[*visit]bool{}},
	}
	f.spaces.begin = f.begin
	return f
}

// watch follows the tools until ctx ends, and the keys until stop, which waits for both: calls go on for a
// while after ctx has ended.
func (f *front) watch(ctx context.Context) (stop func()) {
	var watchers sync.WaitGroup
	tools, stopTools := context.WithCancel(ctx)
	watchers.Go(func() { f.spaces.watch(tools) })
	keys, stopKeys := context.WithCancel(context.WithoutCancel(ctx))
	watchers.Go(func() { f.watchSessions(keys) })
	if f.access.Keys != nil {
		watchers.Go(func() { f.watchKeys(keys) })
		watchers.Go(func() { f.recordUses(keys) })
	}
	return func() {
		stopTools()
		stopKeys()
		watchers.Wait()
	}
}

// drain waits for requests to be answered, then cancels them and waits a moment more.
func drain(server *http.Server, grace time.Duration, stopCalls context.CancelFunc) {
	first, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if server.Shutdown(first) == nil {
		return
	}
	stopCalls()
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(last) != nil {
		server.Close()
	}
}

// endSessions closes the sessions of the older era.
func (f *front) endSessions() {
	f.spaces.server.shielded("closing sessions", func() {
		f.spaces.closing.Lock()
		f.spaces.ended = true
		f.spaces.closing.Unlock()
		var closing sync.WaitGroup
		for _, sp := range f.spaces.all() {
			for session := range sp.mcp.Sessions() {
				closing.Go(func() { _ = session.Close() }) // nobody is left to be told
			}
		}
		closed := make(chan struct{})
		go func() { closing.Wait(); f.spaces.closers.Wait(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(time.Second):
			f.logger.Error("a call did not end when it was cancelled")
		}
	})
}
