package sandbox

import (
	"context"
	"encoding/json"

	"github.com/writ-run/writ/host/sandbox/codecache"
)

// expectation is code that is loaded before anybody may use it.
type expectation struct {
	read    chan struct{} // closed when program and ok are set
	program program
	ok      bool
	done    chan struct{} // closed when machine is set, or will not be
	machine *machine
}

// Expect begins to load the code that was made of a module, named by its SHA-256, when it was last
// remembered: while the module is still read and verified. It is a hint and no decision: what is loaded
// lies in the cache folder, and Compile uses it only for the very bytes of which it was made. The caller
// calls end when Compile has returned, or will not be called.
func (e *Engine) Expect(module string) (end func()) {
	if e.folder == nil {
		return func() {}
	}
	var entry codecache.Entry
	if json.Unmarshal(e.folder.Get(hintFile(module)), &entry) != nil {
		return func() {}
	}
	return e.load(entry)
}

// ExpectLast is Expect for the module of the servlet that was remembered last.
func (e *Engine) ExpectLast() (end func()) {
	if e.folder == nil {
		return func() {}
	}
	entry, ok := e.folder.Latest()
	if !ok {
		return func() {}
	}
	return e.load(entry)
}

// hintFile names the file that says of which files the code of a module is made.
func hintFile(module string) string { return "module-" + module }

// load begins to load code, if all of it is there.
func (e *Engine) load(entry codecache.Entry) (end func()) {
	ok := true
	for _, file := range entry.Files {
		ok = ok && e.folder.Has(file)
	}
	x := &expectation{read: make(chan struct{}), done: make(chan struct{})}
	if !ok || !e.announce(entry.Program, x) {
		return func() {}
	}
	ctx := context.Background()
	go func() {
		defer close(x.done)
		x.program, x.ok = e.readProgram(entry.Program)
		close(x.read)
		if x.ok {
			if mach, err := e.acquire(ctx, x.program); err == nil {
				x.machine = mach
			}
		}
	}()
	return func() {
		<-x.done
		e.mu.Lock()
		delete(e.expected, entry.Program)
		e.mu.Unlock()
		if x.machine == nil {
			return
		}
		if err := e.release(ctx, x.machine); err != nil {
			e.logger.Warn("freeing code", "error", err)
		}
	}
}

// announce makes an expectation known; false: there is one for the program.
func (e *Engine) announce(program string, x *expectation) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if program == "" || e.expected[program] != nil {
		return false
	}
	e.expected[program] = x
	return true
}
