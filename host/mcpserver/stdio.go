package mcpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// ServeStdio serves one client on in and out until in ends or ctx does, then lets running calls
// finish for [Config].Drain and cancels the rest. Nothing else may write to out. It closes in when
// ctx ends; a blocked Read that Close does not wake ends with the process.
//
// One message is one line of at most 16 MiB. A line that is no message is answered with an error and
// does not end the session. It returns nil after the end of in or of ctx, and an error when in cannot
// be read or out not written.
func (s *Server) ServeStdio(ctx context.Context, space string, in io.ReadCloser, out io.WriteCloser) error {
	running, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()
	spaces := s.newSpaces(running)
	spaces.local = true
	sp, err := spaces.open(ctx, space, true)
	if err != nil {
		return fmt.Errorf("serving space %s: %w", quote(space), err)
	}
	var watcher sync.WaitGroup
	watching, stopWatching := context.WithCancel(ctx)
	watcher.Go(func() { spaces.watch(watching) })
	defer watcher.Wait()
	defer stopWatching()

	session := newStdioSession(sp, out)
	ended := make(chan error, 1)
	go func() { ended <- session.readLines(in) }()
	select {
	case err = <-ended:
	case <-session.broken:
	case <-ctx.Done():
		in.Close()
	}
	session.drain(s.cfg.Drain, stopCalls)
	if writeErr := session.writeError(); writeErr != nil {
		return fmt.Errorf("writing to the client: %w", writeErr)
	}
	if err != nil {
		return fmt.Errorf("reading from the client: %w", err)
	}
	return nil
}

// readLines handles lines until the end of in.
func (s *stdioSession) readLines(in io.Reader) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		line, tooLong, err := readLine(r, maxLineBytes)
		switch {
		case tooLong:
			s.write(encodeError(jsonrpc.ID{}, invalidRequest(fmt.Sprintf("a message is at most %d MiB long", maxLineBytes>>20))))
		case len(bytes.TrimSpace(line)) > 0:
			s.accept(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads up to a newline. Of a line longer than limit nothing is kept, and all is read.
func readLine(r *bufio.Reader, limit int) (line []byte, tooLong bool, err error) {
	for {
		chunk, err := r.ReadSlice('\n')
		if len(line)+len(chunk) > limit+1 { // +1: the newline
			tooLong, line = true, nil
		}
		if !tooLong {
			line = append(line, chunk...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

// stdioSession is one client on a pair of streams. The eras share the streams and nothing else: each
// is a session of the SDK of its own, and so is each subscription, so that a client may probe with
// server/discover and then initialize, and a second subscription does not silence the first.
type stdioSession struct {
	space  *space
	broken chan struct{} // closed when out cannot be written

	writing sync.Mutex // held while one line is written
	out     io.Writer

	mu       sync.Mutex // guards all below
	failed   error      // why out cannot be written
	modern   *pipe
	legacy   *pipe
	greeted  bool // initialize was sent
	inFlight map[jsonrpc.ID]*waiting
	sending  int           // answers that are being written
	idle     chan struct{} // closed when draining and nothing waits
	draining bool
}

// waiting is a request without an answer.
type waiting struct {
	pipe      *pipe
	listen    bool
	cancelled bool // by the client: no answer may follow
}

func newStdioSession(sp *space, out io.Writer) *stdioSession {
	return &stdioSession{
		space: sp, out: out,
		broken:   make(chan struct{}),
		inFlight: map[jsonrpc.ID]*waiting{},
		idle:     make(chan struct{}),
	}
}

// write sends one line. After a failed write nothing more is sent.
func (s *stdioSession) write(line []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writeError() != nil {
		return
	}
	if _, err := s.out.Write(append(line, '\n')); err != nil {
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
		close(s.broken)
	}
}

func (s *stdioSession) writeError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// drain lets running calls finish for grace, cancels those that do not, and ends the sessions.
func (s *stdioSession) drain(grace time.Duration, stopCalls context.CancelFunc) {
	s.mu.Lock()
	s.draining = true
	s.settle()
	var pipes []*pipe
	listens := map[jsonrpc.ID]*pipe{}
	for id, w := range s.inFlight {
		if w.listen {
			listens[id] = w.pipe
			pipes = append(pipes, w.pipe)
		}
	}
	for _, p := range []*pipe{s.modern, s.legacy} {
		if p != nil {
			pipes = append(pipes, p)
		}
	}
	s.mu.Unlock()
	for id, p := range listens {
		p.deliver(cancellation(id)) // it ends with its result, as the client expects
	}
	select {
	case <-s.idle:
	case <-s.broken:
	case <-time.After(grace):
	}
	stopCalls()
	var closing sync.WaitGroup
	for _, p := range pipes {
		closing.Go(p.end)
	}
	closed := make(chan struct{})
	go func() { closing.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Second): // a host that ignores its context is left behind
		s.space.logger.Error("a call did not end when it was cancelled")
	}
}

// settle closes idle when all answers are written. s.mu is held.
func (s *stdioSession) settle() {
	if !s.draining || s.sending > 0 {
		return
	}
	for _, w := range s.inFlight {
		if !w.cancelled {
			return
		}
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}
