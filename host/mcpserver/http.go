package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Times of the HTTP server. None bounds a call: its deadline is its servlet's.
const (
	headerTime    = 10 * time.Second // to send a request's header
	bodyTime      = 30 * time.Second // to send its body
	writeTime     = 30 * time.Second // to take one write of an answer
	idleTime      = 2 * time.Minute  // between requests of one connection
	keepAliveTime = 15 * time.Second // between signs of life on an open stream
	sessionTime   = 24 * time.Hour   // of silence, after which a session before 2026-07-28 ends
)

// ServeHTTP serves /mcp (space default) and /s/<space>/mcp on a loopback listener until ctx ends,
// then drains. Host and Origin of every request are checked. It refuses any other listener with
// ErrNotLoopback, closes l, and returns nil after ctx has ended.
//
// A client of 2026-07-28 cancels a call by closing its response. In a session of the older era a
// closed response cancels nothing, as its revisions say; notifications/cancelled does. Running calls
// may go on for [Config].Drain after ctx has ended and are then cancelled.
func (s *Server) ServeHTTP(ctx context.Context, l net.Listener) error {
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok || !address.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("listening on %s %w", l.Addr(), ErrNotLoopback)
	}
	running, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()
	streaming, stopStreams := context.WithCancel(running)
	defer stopStreams()
	front := &front{
		spaces: s.newSpaces(running), streaming: streaming, logger: s.cfg.Logger, listener: address,
		endpoints: map[string]*endpoint{}, load: newLoad(1),
	}
	conns := &connections{all: map[net.Conn]bool{}, idle: map[net.Conn]time.Time{}}
	var watcher sync.WaitGroup
	watching, stopWatching := context.WithCancel(ctx)
	watcher.Go(func() { front.spaces.watch(watching) })
	defer watcher.Wait()
	defer stopWatching()

	server := &http.Server{
		Handler:           front,
		BaseContext:       func(net.Listener) context.Context { return running },
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         conns.changed,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stopStreams() // streams have no end of their own
	drain(server, s.cfg.Drain, stopCalls)
	front.endSessions()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
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
		var closing sync.WaitGroup
		for _, sp := range f.spaces.all() {
			for session := range sp.mcp.Sessions() {
				closing.Go(func() { _ = session.Close() }) // nobody is left to be told
			}
		}
		closed := make(chan struct{})
		go func() { closing.Wait(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(time.Second):
			f.logger.Error("a call did not end when it was cancelled")
		}
	})
}
