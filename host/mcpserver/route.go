package mcpserver

import (
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// accept takes one line of the client to where it belongs, or answers it with an error.
func (s *stdioSession) accept(line []byte) {
	msg, refused := parseMessage(line)
	if refused == nil && msg.method != "" && !msg.id.IsValid() {
		s.notify(&msg)
		return
	}
	if msg.method == "" && refused == nil || msg.method != "" && !msg.id.IsValid() {
		return // a response, and nothing was asked; or a notification, which has no answer
	}
	if refused == nil {
		refused = s.route(&msg)
	}
	if refused != nil {
		s.write(encodeError(msg.id, refused))
	}
}

// notify handles a message that has no answer.
func (s *stdioSession) notify(msg *message) {
	s.mu.Lock()
	target := s.legacy
	if msg.method == "notifications/cancelled" {
		target = nil
		if w := s.inFlight[msg.cancels]; w != nil {
			w.cancelled = true
			target = w.pipe
			s.settle()
		}
	}
	s.mu.Unlock()
	if target != nil {
		target.deliver(msg.request())
	}
}

// route gives a request to the session of its era.
func (s *stdioSession) route(msg *message) *jsonrpc.Error {
	if refused := eraOf(msg); refused != nil {
		return refused
	}
	s.mu.Lock()
	target, refused := s.target(msg)
	if refused == nil {
		s.inFlight[msg.id] = &waiting{pipe: target, listen: msg.method == listenMethod}
	}
	s.mu.Unlock()
	if refused == nil {
		target.deliver(msg.request())
	}
	return refused
}

const listenMethod = "subscriptions/listen"

// eraOf refuses a request whose era cannot be served or told.
func eraOf(msg *message) *jsonrpc.Error {
	switch {
	case msg.modern() && msg.version != modernVersion:
		return unsupportedVersion(msg.version)
	case !msg.modern() && (msg.method == "server/discover" || msg.method == listenMethod):
		return invalidParams("missing " + mcp.MetaKeyProtocolVersion + " in _meta")
	}
	return nil
}

// target finds or starts the session for a request. s.mu is held.
func (s *stdioSession) target(msg *message) (*pipe, *jsonrpc.Error) {
	if s.draining {
		return nil, internalError("the server is ending")
	}
	if s.inFlight[msg.id] != nil {
		return nil, invalidRequest("its id is in use by a request that has no answer yet")
	}
	if len(s.inFlight) >= maxInFlight {
		return nil, internalError("too many requests wait for an answer; send fewer at a time")
	}
	var slot **pipe
	switch {
	case msg.method == listenMethod:
		listens := 0
		for _, w := range s.inFlight {
			if w.listen {
				listens++
			}
		}
		if listens >= maxListens {
			return nil, internalError("too many open subscriptions")
		}
		slot = new(*pipe)
	case msg.modern():
		slot = &s.modern
	default:
		if !s.greeted && msg.method != "initialize" && msg.method != "ping" {
			return nil, invalidParams("missing " + mcp.MetaKeyProtocolVersion + " in _meta, and no initialize came before")
		}
		if s.greeted && msg.method == "initialize" {
			return nil, invalidRequest("initialize was sent already")
		}
		slot = &s.legacy
	}
	if *slot == nil {
		started, err := s.newPipe()
		if err != nil {
			s.space.logger.Error("starting a session", "error", err)
			return nil, internalError("Writ could not start a session")
		}
		*slot = started
	}
	if msg.method == "initialize" && !msg.modern() {
		s.greeted = true
	}
	return *slot, nil
}
