package sandbox

import (
	"context"

	"github.com/writ-run/writ/capabilities/effect"
)

// denied is the Host of a call that may ask for nothing: it refuses every request. It is what a call
// without a Host has, and what init, describe and warm-up have always.
type denied struct{ preopens []effect.Preopen }

var _ Host = denied{}

func (d denied) Preopens() []effect.Preopen { return d.preopens }

func (denied) Config(context.Context, string) (string, *effect.Error) {
	return "", &effect.Error{Code: effect.Denied, Text: "no capability is granted to this call"}
}

func (denied) Fetch(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	return effect.HTTPResponse{}, &effect.Error{Code: effect.Denied, Text: "no capability is granted to this call"}
}

func (denied) FetchPage(context.Context, effect.WebRequest) (effect.WebResponse, *effect.Error) {
	return effect.WebResponse{}, &effect.Error{Code: effect.Denied, Text: "no capability is granted to this call"}
}

func (denied) Keep(context.Context, effect.KVRequest) (effect.KVResponse, *effect.Error) {
	return effect.KVResponse{}, &effect.Error{Code: effect.Denied, Text: "no capability is granted to this call"}
}

func (denied) Open(context.Context, effect.Open) (effect.Handle, effect.Errno) {
	return 0, effect.ErrAccess
}

// Close lets a guest give up a preopened directory, which takes no right.
func (denied) Close(effect.Handle) effect.Errno { return effect.Success }

func (denied) Read(effect.Handle, []byte, int64) (int, effect.Errno)  { return 0, effect.ErrAccess }
func (denied) Write(effect.Handle, []byte, int64) (int, effect.Errno) { return 0, effect.ErrAccess }
func (denied) Seek(effect.Handle, int64, int) (int64, effect.Errno)   { return 0, effect.ErrAccess }
func (denied) Stat(effect.Handle) (effect.Stat, effect.Errno)         { return effect.Stat{}, effect.ErrAccess }
func (denied) ReadDir(effect.Handle, uint64, int) ([]effect.Entry, effect.Errno) {
	return nil, effect.ErrAccess
}
func (denied) StatAt(effect.Handle, string, bool) (effect.Stat, effect.Errno) {
	return effect.Stat{}, effect.ErrAccess
}
func (denied) ReadLink(effect.Handle, string) (string, effect.Errno) { return "", effect.ErrAccess }
func (denied) Mkdir(effect.Handle, string) effect.Errno              { return effect.ErrAccess }
func (denied) Rmdir(effect.Handle, string) effect.Errno              { return effect.ErrAccess }
func (denied) Unlink(effect.Handle, string) effect.Errno             { return effect.ErrAccess }
func (denied) Rename(effect.Handle, string, effect.Handle, string) effect.Errno {
	return effect.ErrAccess
}
func (denied) SetSize(effect.Handle, int64) effect.Errno         { return effect.ErrAccess }
func (denied) SetTimes(effect.Handle, int64, int64) effect.Errno { return effect.ErrAccess }
func (denied) Sync(effect.Handle) effect.Errno                   { return effect.ErrAccess }
