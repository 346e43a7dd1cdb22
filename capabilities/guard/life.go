package guard

import (
	"context"
	"sync"
)

// life is the time of a Guard, until End. Most calls ask for nothing that could have to be stopped, and need
// no context for it. The zero life never ends.
type life struct {
	begun bool // set by New alone

	mu     sync.Mutex
	ended  bool               // guarded by mu
	ctx    context.Context    // guarded by mu; nil until somebody asks
	cancel context.CancelFunc // guarded by mu
}

// context ends with the Guard.
func (l *life) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancel(context.Background())
		if l.ended {
			l.cancel()
		}
	}
	return l.ctx
}

func (l *life) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.cancel != nil {
		l.cancel()
	}
}
