package mcpserver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
)

// spaces are the endpoints of one Serve method, each made when it is first asked for and kept until
// the method returns. Making an SDK server costs milliseconds and megabytes, a request must not.
type spaces struct {
	server *Server
	// ends when running calls must stop now.
	running context.Context
	// local says that every client is the user of this machine, as on stdio.
	local bool
	// begin registers a call until leave, and ends its context with the caller's key. nil: no key is asked for.
	begin func(ctx context.Context, who identity) (_ context.Context, leave func())

	mu     sync.Mutex // guards byName
	byName map[string]*space

	closing sync.Mutex // guards ended, and that closers grows
	ended   bool       // all sessions are closed
	closers sync.WaitGroup
}

func (s *Server) newSpaces(running context.Context) *spaces {
	return &spaces{server: s, running: running, byName: map[string]*space{}}
}

// open returns the endpoint of a space. Unless create is set, a space other than the default one is
// opened only if it has a tool: a stranger who asks for a million names must not make a million servers.
func (s *spaces) open(ctx context.Context, name string, create bool) (*space, error) {
	if capabilities.ValidSpace(name) != nil {
		return nil, ErrSpaceName
	}
	s.mu.Lock()
	sp := s.byName[name]
	s.mu.Unlock()
	if sp != nil {
		return sp, nil
	}
	must := !create && name != capabilities.DefaultSpace
	if must {
		// Before an SDK server is made, which a name that is only asked for is not worth.
		if tools, err := s.list(ctx, name); err != nil {
			s.server.cfg.Logger.Error("listing tools", "space", name, "error", err)
			return nil, err
		} else if len(tools) == 0 {
			return nil, errNoSpace
		}
	}
	sp = newSpace(s, name)
	if err := sp.refresh(ctx); must && err != nil {
		return nil, err
	}
	if must && len(sp.current().byName) == 0 {
		return nil, errNoSpace // none of its tools can be shown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.byName[name]; other != nil {
		return other, nil
	}
	if len(s.byName) >= maxSpaces {
		return nil, fmt.Errorf("more than %d spaces", maxSpaces)
	}
	s.byName[name] = sp
	return sp, nil
}

// list asks the host for the tools of a space.
func (s *spaces) list(ctx context.Context, name string) (listed []host.Tool, err error) {
	err = errPanic
	s.server.shielded("listing tools", func() {
		listed, err = s.server.cfg.Host.Tools(ctx, localUser(name).by)
	})
	return listed, err
}

func (s *spaces) all() []*space {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*space
	for _, sp := range s.byName {
		list = append(list, sp)
	}
	return list
}

// watch keeps the tools of every space in step with the host until ctx ends.
func (s *spaces) watch(ctx context.Context) {
	changed := make(chan struct{}, 1)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for ctx.Err() == nil {
			s.server.shielded("watching for changed tools", func() {
				s.server.cfg.Host.Watch(ctx, func() {
					select {
					case changed <- struct{}{}:
					default: // a refresh is due already
					}
				})
			})
			wait(ctx, time.Second) // a watch that ended early must not spin
		}
	})
	defer watcher.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		for _, sp := range s.all() {
			_ = sp.refresh(ctx) // logged; the list as it was stays
		}
	}
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// shielded runs f and reports whether it returned. A panic in a handler of the SDK ends the process,
// and with it the calls of every other client, so that none may leave this room.
func (s *Server) shielded(doing string, f func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			ok = false
			s.cfg.Logger.Error("panic while "+doing, "panic", quote(fmt.Sprint(r)), "stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}
