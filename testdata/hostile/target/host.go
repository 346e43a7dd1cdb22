package target

import (
	"context"
	"sync/atomic"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
)

// Willing is a Host that grants everything and counts what it was asked: whatever reaches it was not stopped in the
// sandbox. Each directory has one file and everything has the same content. Fields may be changed before it is used.
type Willing struct {
	Guests  []string // preopened directories
	Content string
	Asked   atomic.Int64 // requests; Preopens is none

	OnConfig func(ctx context.Context, key string) (string, *effect.Error) // nil: Content
	OnFetch  func(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error)

	opened atomic.Int32
}

var _ sandbox.Host = (*Willing)(nil)

// NewWilling makes one with a secret that no attack may learn unless it was given.
func NewWilling(guests ...string) *Willing {
	return &Willing{Guests: guests, Content: "SECRET-OF-THE-HOST"}
}

// Preopens implements sandbox.Host.
func (h *Willing) Preopens() (list []effect.Preopen) {
	for i, g := range h.Guests {
		list = append(list, effect.Preopen{Handle: effect.FirstHandle + effect.Handle(i), Guest: g})
	}
	return list
}

func (h *Willing) yes() effect.Errno {
	h.Asked.Add(1)
	return effect.Success
}

// Config implements sandbox.Host.
func (h *Willing) Config(ctx context.Context, key string) (string, *effect.Error) {
	h.yes()
	if h.OnConfig != nil {
		return h.OnConfig(ctx, key)
	}
	return h.Content, nil
}

// Fetch implements sandbox.Host.
func (h *Willing) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	h.yes()
	if h.OnFetch != nil {
		return h.OnFetch(ctx, req)
	}
	return effect.HTTPResponse{Status: 200, Body: []byte(h.Content)}, nil
}

// FetchPage implements sandbox.Host.
func (h *Willing) FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
	resp, err := h.Fetch(ctx, effect.HTTPRequest{Method: req.Method, Path: req.URL, Header: req.Header, Body: req.Body})
	return effect.WebResponse{URL: req.URL, HTTPResponse: resp}, err
}

// Keep implements sandbox.Host.
func (h *Willing) Keep(context.Context, effect.KVRequest) (effect.KVResponse, *effect.Error) {
	h.yes()
	return effect.KVResponse{Value: []byte(h.Content), Keys: []string{h.Content}, Values: [][]byte{[]byte(h.Content)}}, nil
}

// Open implements sandbox.Files.
func (h *Willing) Open(context.Context, effect.Open) (effect.Handle, effect.Errno) {
	return effect.FirstHandle + effect.Handle(len(h.Guests)) + effect.Handle(h.opened.Add(1)) - 1, h.yes()
}

// Close implements sandbox.Files.
func (h *Willing) Close(effect.Handle) effect.Errno { return h.yes() }

// Read implements sandbox.Files.
func (h *Willing) Read(_ effect.Handle, p []byte, _ int64) (int, effect.Errno) {
	return copy(p, h.Content), h.yes()
}

// Write implements sandbox.Files.
func (h *Willing) Write(_ effect.Handle, p []byte, _ int64) (int, effect.Errno) {
	return len(p), h.yes()
}

// Seek implements sandbox.Files.
func (h *Willing) Seek(effect.Handle, int64, int) (int64, effect.Errno) { return 0, h.yes() }

func (h *Willing) stat() effect.Stat {
	return effect.Stat{Type: effect.TypeRegular, Size: int64(len(h.Content)), Inode: 7, Links: 1}
}

// Stat implements sandbox.Files.
func (h *Willing) Stat(effect.Handle) (effect.Stat, effect.Errno) { return h.stat(), h.yes() }

// StatAt implements sandbox.Files.
func (h *Willing) StatAt(effect.Handle, string, bool) (effect.Stat, effect.Errno) {
	return h.stat(), h.yes()
}

// ReadDir implements sandbox.Files.
func (h *Willing) ReadDir(_ effect.Handle, cookie uint64, _ int) ([]effect.Entry, effect.Errno) {
	if cookie > 0 {
		return nil, h.yes()
	}
	return []effect.Entry{{Name: "file", Type: effect.TypeRegular, Inode: 7, Next: 1}}, h.yes()
}

// ReadLink implements sandbox.Files.
func (h *Willing) ReadLink(effect.Handle, string) (string, effect.Errno) { return h.Content, h.yes() }

// Mkdir implements sandbox.Files.
func (h *Willing) Mkdir(effect.Handle, string) effect.Errno { return h.yes() }

// Rmdir implements sandbox.Files.
func (h *Willing) Rmdir(effect.Handle, string) effect.Errno { return h.yes() }

// Unlink implements sandbox.Files.
func (h *Willing) Unlink(effect.Handle, string) effect.Errno { return h.yes() }

// Rename implements sandbox.Files.
func (h *Willing) Rename(effect.Handle, string, effect.Handle, string) effect.Errno { return h.yes() }

// SetSize implements sandbox.Files.
func (h *Willing) SetSize(effect.Handle, int64) effect.Errno { return h.yes() }

// SetTimes implements sandbox.Files.
func (h *Willing) SetTimes(effect.Handle, int64, int64) effect.Errno { return h.yes() }

// Sync implements sandbox.Files.
func (h *Willing) Sync(effect.Handle) effect.Errno { return h.yes() }
