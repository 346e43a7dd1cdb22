package mcpserver

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// answer is a response writer that keeps an event stream alive and does not wait forever for a
// client that stopped reading.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex // held while something is written
	begun  bool
	stop   chan struct{} // closed by end; nil: not a stream
	ticker sync.WaitGroup
}

func newAnswer(w http.ResponseWriter) *answer {
	return &answer{ResponseWriter: w, control: http.NewResponseController(w)}
}

// WriteHeader begins the answer.
func (a *answer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin()
	a.timed()
	a.ResponseWriter.WriteHeader(status)
}

// Write writes one event or the whole of a plain answer.
func (a *answer) Write(data []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin()
	a.timed()
	return a.ResponseWriter.Write(data)
}

// FlushError sends what was written.
func (a *answer) FlushError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin()
	a.timed()
	return a.control.Flush()
}

// begin looks at the headers, once, before they are sent. a.mu is held.
func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	if !strings.HasPrefix(a.Header().Get("Content-Type"), "text/event-stream") {
		return
	}
	a.Header().Set("X-Accel-Buffering", "no") // asks a proxy to pass events on at once
	a.stop = make(chan struct{})
	a.ticker.Go(func() { a.keepAlive(a.stop) })
}

// keepAlive writes comments, so that nothing between client and server takes a long call for a dead
// connection, and a client that left is noticed.
func (a *answer) keepAlive(stop <-chan struct{}) {
	ticker := time.NewTicker(keepAliveTime)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		if _, err := a.Write([]byte(": \n\n")); err != nil || a.FlushError() != nil {
			return
		}
	}
}

// timed gives the next write its deadline. a.mu is held.
func (a *answer) timed() {
	// Not all connections can be timed; those of http.Server can.
	_ = a.control.SetWriteDeadline(time.Now().Add(writeTime))
}

// end stops the comments. Nothing may be written after the handler has returned.
func (a *answer) end() {
	a.mu.Lock()
	stop := a.stop
	a.mu.Unlock()
	if stop != nil {
		close(stop)
		a.ticker.Wait()
	}
}
