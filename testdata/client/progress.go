package client

import (
	"errors"
	"fmt"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// Progress is one progress notification.
type Progress struct {
	Done  float64 `json:"done"`
	Total float64 `json:"total,omitempty"`
	Text  string  `json:"text,omitempty"`
}

// progress finds the call that a notification belongs to.
type progress struct {
	mu    sync.Mutex // guards all below
	next  int
	calls map[string]func(Progress)
}

func newProgress() *progress { return &progress{calls: map[string]func(Progress){}} }

// expect returns a token for a call, and how to forget it.
func (p *progress) expect(each func(Progress)) (token string, forget func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	token = fmt.Sprintf("call-%d", p.next)
	p.calls[token] = each
	return token, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.calls, token)
	}
}

func (p *progress) deliver(token any, report Progress) {
	name, _ := token.(string)
	p.mu.Lock()
	defer p.mu.Unlock()
	if each := p.calls[name]; each != nil {
		each(report)
	}
}

// Code is the JSON-RPC code of an error that the server answered with, or 0.
func Code(err error) int64 {
	var wire *jsonrpc.Error
	if errors.As(err, &wire) {
		return wire.Code
	}
	return 0
}
