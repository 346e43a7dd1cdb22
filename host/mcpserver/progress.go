package mcpserver

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A call may send progressBurst notifications at once and one more every progressEvery. A servlet
// that counts to a million must not make its client read a million messages.
const (
	progressBurst    = 20
	progressEvery    = 100 * time.Millisecond
	maxProgressBytes = 1024
)

// progress sends the notifications of one call.
// Source: MCP 2026-07-28, basic, "Progress".
type progress struct {
	ctx     context.Context // of the call: names the request, ends the notifications
	session *mcp.ServerSession
	token   any

	mu      sync.Mutex // guards all below, and keeps notifications in order
	stopped bool
	begun   bool
	done    float64
	tokens  int
	refill  time.Time
}

// report sends one notification, unless it is not more than the last one or comes too soon.
func (p *progress) report(done, total float64, text string) {
	if math.IsNaN(done) || math.IsInf(done, 0) {
		return
	}
	if math.IsNaN(total) || math.IsInf(total, 0) || total < 0 {
		total = 0 // unknown
	}
	if len(text) > maxProgressBytes {
		cut := maxProgressBytes
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || p.ctx.Err() != nil || p.begun && done <= p.done || !p.admit(time.Now()) {
		return
	}
	p.begun, p.done = true, done
	// A client that is gone is noticed by the call itself.
	_ = p.session.NotifyProgress(p.ctx, &mcp.ProgressNotificationParams{
		ProgressToken: p.token, Progress: done, Total: total, Message: strings.ToValidUTF8(text, "\uFFFD"),
	})
}

// admit takes one token from the bucket. p.mu is held.
func (p *progress) admit(now time.Time) bool {
	if p.refill.IsZero() {
		p.tokens, p.refill = progressBurst, now
	}
	if n := int(now.Sub(p.refill) / progressEvery); n > 0 {
		p.tokens = min(progressBurst, p.tokens+n)
		p.refill = p.refill.Add(time.Duration(n) * progressEvery)
	}
	if p.tokens == 0 {
		return false
	}
	p.tokens--
	return true
}

// stop ends the notifications: none may follow the answer.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}
