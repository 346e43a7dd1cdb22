package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// pipe is one session of the SDK under a stdioSession.
type pipe struct {
	owner   *stdioSession
	in      chan jsonrpc.Message
	closed  chan struct{}
	once    sync.Once
	session *mcp.ServerSession

	answered bool // something was; guarded by owner.mu
}

var (
	_ mcp.Transport  = (*pipe)(nil)
	_ mcp.Connection = (*pipe)(nil)
)

// newPipe starts a session of the SDK.
func (s *stdioSession) newPipe() (*pipe, error) {
	p := &pipe{owner: s, in: make(chan jsonrpc.Message, 16), closed: make(chan struct{})}
	session, err := s.space.mcp.Connect(context.Background(), p, nil)
	if err != nil {
		return nil, err
	}
	p.session = session
	return p, nil
}

// Connect makes the pipe the SDK's connection.
func (p *pipe) Connect(context.Context) (mcp.Connection, error) { return p, nil }

// Read hands the SDK its next message.
func (p *pipe) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, io.EOF
	case msg := <-p.in:
		return msg, nil
	}
}

// Write takes a message of the SDK to the client.
func (p *pipe) Write(_ context.Context, msg jsonrpc.Message) error {
	return p.owner.send(p, msg)
}

// Close ends the connection, not the client's stream, which the other sessions use too.
func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// SessionID is empty: a stream has one client.
func (p *pipe) SessionID() string { return "" }

// deliver gives the SDK a message of the client.
func (p *pipe) deliver(msg jsonrpc.Message) {
	select {
	case p.in <- msg:
	case <-p.closed:
	}
}

// end closes the session; it waits for its handlers.
func (p *pipe) end() {
	if err := p.session.Close(); err != nil && !errors.Is(err, io.EOF) {
		p.owner.space.logger.Debug("closing a session", "error", err)
	}
}

// cancellation is a notifications/cancelled for a request.
func cancellation(id jsonrpc.ID) *jsonrpc.Request {
	params, err := json.Marshal(map[string]any{"requestId": id.Raw()})
	if err != nil {
		panic("BUG: an id does not encode: " + err.Error())
	}
	return &jsonrpc.Request{Method: "notifications/cancelled", Params: params}
}
