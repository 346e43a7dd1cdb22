// Package sandbox runs a guest: compiled once, one fresh instance per call, with a WASI of our own
// and the guest interface of sdk/ABI.md, or of sdk/EXTISM.md for a plug-in of another host. It is the
// only room that imports a WebAssembly runtime.
//
// The life of a module here:
//
//  1. Admit gates its bytes and checks every import against the interface. Nothing is compiled.
//  2. Engine.Compile validates it, meters it and makes machine code of it. No guest code runs, start
//     function included. Modules whose metered code is equal share the machine code.
//  3. Code.Prepare, or the first call, runs init and warm-up and takes an image of the result.
//  4. Code.Run runs one entry in an instance that is byte for byte that image; any number at a time.
//     Afterwards the instance is made the image again, or thrown away when anything but an answer
//     happened in it. Code.Rung tells how, and why not faster.
//  5. Code.Close and Engine.Close free instances, images and machine code.
//
// A guest ends at its deadline whatever it does: metered code asks the host for fuel every fraction of a
// millisecond, and the host looks at the clock before it gives more.
package sandbox

import (
	"context"

	"github.com/writ-run/writ/capabilities/effect"
)

// Host is what a running guest can reach: nothing but these messages. The guard implements it.
// Every method may be called from several goroutines of one call.
type Host interface {
	Files
	// Config answers the value of a declared key.
	Config(ctx context.Context, key string) (string, *effect.Error)
	// Fetch does one HTTP exchange under a granted capability.
	Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error)
	// FetchPage gets one public page under the capability web.
	FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error)
	// Keep reads or changes what the servlet keeps between calls, under the capability kv. It is asked on
	// the guest's goroutine, one request after the other.
	Keep(ctx context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error)
}

// Files is the per-call handle table.
type Files interface {
	// Preopens are the first handles, from effect.FirstHandle on and without gaps.
	Preopens() []effect.Preopen
	Open(ctx context.Context, req effect.Open) (effect.Handle, effect.Errno)
	Close(h effect.Handle) effect.Errno
	// Read fills p from the handle's position, or from offset when it is not negative. 0 bytes is the end.
	// p is the guest's memory: it must not be kept.
	Read(h effect.Handle, p []byte, offset int64) (int, effect.Errno)
	// Write writes p at the handle's position, or at offset when it is not negative. p must not be kept.
	Write(h effect.Handle, p []byte, offset int64) (int, effect.Errno)
	Seek(h effect.Handle, offset int64, whence int) (int64, effect.Errno)
	Stat(h effect.Handle) (effect.Stat, effect.Errno)
	StatAt(dir effect.Handle, path string, follow bool) (effect.Stat, effect.Errno)
	// ReadDir lists at most max entries after cookie, 0 being the start. An empty list is the end.
	ReadDir(h effect.Handle, cookie uint64, max int) ([]effect.Entry, effect.Errno)
	ReadLink(dir effect.Handle, path string) (string, effect.Errno)
	Mkdir(dir effect.Handle, path string) effect.Errno
	Rmdir(dir effect.Handle, path string) effect.Errno
	Unlink(dir effect.Handle, path string) effect.Errno
	Rename(from effect.Handle, oldPath string, to effect.Handle, newPath string) effect.Errno
	SetSize(h effect.Handle, size int64) effect.Errno
	// SetTimes sets times in nanoseconds since 1970; a negative one is left as it is.
	SetTimes(h effect.Handle, accessed, modified int64) effect.Errno
	Sync(h effect.Handle) effect.Errno
}
