package mcpserver

import (
	"errors"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// send writes what the SDK says, unless the client cancelled what it answers.
func (s *stdioSession) send(p *pipe, msg jsonrpc.Message) error {
	response, ok := msg.(*jsonrpc.Response)
	if !ok {
		return s.sendNotification(p, msg)
	}
	s.mu.Lock()
	w := s.inFlight[response.ID]
	// Before it is written: a client may use the id again as soon as it has the answer.
	delete(s.inFlight, response.ID)
	s.sending++
	p.answered = true
	s.mu.Unlock()
	response.Error = wireError(response.Error)
	var err error
	if w == nil || !w.cancelled {
		err = s.sendEncoded(response)
	}
	s.mu.Lock()
	s.sending--
	s.settle()
	s.mu.Unlock()
	if w != nil && w.listen {
		go p.end() // not here: it waits for this very answer
	}
	return err
}

// sendNotification writes a notification. The SDK also tells a session that it knows nothing about
// yet that the tools changed; nobody asked for that.
func (s *stdioSession) sendNotification(p *pipe, msg jsonrpc.Message) error {
	s.mu.Lock()
	early := p == s.legacy && !p.answered || p == s.modern
	s.mu.Unlock()
	if note, ok := msg.(*jsonrpc.Request); ok && early && note.Method == "notifications/tools/list_changed" {
		return nil
	}
	return s.sendEncoded(msg)
}

func (s *stdioSession) sendEncoded(msg jsonrpc.Message) error {
	line, err := jsonrpc.EncodeMessage(msg)
	if err != nil {
		return err
	}
	s.write(line)
	return s.writeError()
}

// maxErrorBytes bounds the text of an error.
const maxErrorBytes = 500

// wireCodes are the error codes that MCP knows.
var wireCodes = map[int64]bool{
	jsonrpc.CodeParseError: true, jsonrpc.CodeInvalidRequest: true, jsonrpc.CodeMethodNotFound: true,
	jsonrpc.CodeInvalidParams: true, jsonrpc.CodeInternalError: true,
	mcp.CodeHeaderMismatch: true, mcp.CodeMissingRequiredClientCapabilities: true, mcp.CodeUnsupportedProtocolVersion: true,
}

// wireError gives an error of the SDK without a code, or with one of its own, a code of the protocol.
func wireError(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) > maxErrorBytes { // the SDK quotes the whole message
		text = strings.ToValidUTF8(text[:maxErrorBytes], "") + "…"
	}
	var wire *jsonrpc.Error
	if errors.As(err, &wire) && wireCodes[wire.Code] {
		return &jsonrpc.Error{Code: wire.Code, Message: text, Data: wire.Data}
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: text}
}
