package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// errBusy is a call that cannot even wait.
var errBusy = errors.New("too many calls are waiting")

// maxWaiting bounds the calls that wait for their turn: each holds its arguments in memory.
const maxWaiting = 1024

// tooLarge is a call that may have more memory than all calls together.
type tooLarge struct{ budget int64 }

func (e tooLarge) Error() string {
	return fmt.Sprintf("it may have more than %d bytes of memory", e.budget)
}

// lanes bounds how many calls run at a time: of one installation, so that a slow tool cannot keep the
// others from running, of all together, and by the memory of their guests: the limits of the manifests
// alone would allow a thousand times what one of them has.
type lanes struct {
	each   int
	total  chan struct{}
	memory memory

	mu      sync.Mutex
	waiting int              // guarded by mu
	byName  map[string]*lane // guarded by mu; only those in use
}

type lane struct {
	slots chan struct{}
	users int
}

func newLanes(each, total int, bytes int64) *lanes {
	return &lanes{each: each, total: make(chan struct{}, total), memory: memory{budget: bytes}, byName: map[string]*lane{}}
}

// enter waits for a turn of a call that may have so many bytes of memory, until ctx ends. The caller
// calls leave when its call ended. A call that can never have its turn is tooLarge at once.
func (l *lanes) enter(ctx context.Context, name string, bytes int64) (leave func(), err error) {
	if bytes > l.memory.budget {
		return nil, tooLarge{l.memory.budget}
	}
	mine, err := l.queue(name)
	if err != nil {
		return nil, err
	}
	defer l.stopWaiting()
	select {
	case mine.slots <- struct{}{}:
	case <-ctx.Done():
		l.drop(name)
		return nil, context.Cause(ctx)
	}
	// The place in one's own lane comes first: who waits for it must not hold one of all. Memory comes
	// last, so that none of it waits for a place.
	select {
	case l.total <- struct{}{}:
	case <-ctx.Done():
		<-mine.slots
		l.drop(name)
		return nil, context.Cause(ctx)
	}
	if err := l.memory.take(ctx, bytes); err != nil {
		<-l.total
		<-mine.slots
		l.drop(name)
		return nil, err
	}
	return func() {
		l.memory.give(bytes)
		<-l.total
		<-mine.slots
		l.drop(name)
	}, nil
}

func (l *lanes) queue(name string) (*lane, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= maxWaiting {
		return nil, errBusy
	}
	l.waiting++
	mine := l.byName[name]
	if mine == nil {
		mine = &lane{slots: make(chan struct{}, l.each)}
		l.byName[name] = mine
	}
	mine.users++
	return mine, nil
}

func (l *lanes) stopWaiting() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}

func (l *lanes) drop(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mine := l.byName[name]; mine != nil {
		if mine.users--; mine.users == 0 {
			delete(l.byName, name)
		}
	}
}
