// Package effect has the messages by which a sandboxed call asks for something outside itself, and
// the answers: plain values of bounded size, one pair per kind of capability. The sandbox decodes a
// guest's request into one, the guard decides and acts, the sandbox encodes the answer. Nothing in a
// message points into either side, so that it could cross a pipe between two processes.
package effect

import "fmt"

// Code says why an effect did not happen. Its number is what a guest of ABI writ1 sees, negated
// (sdk/ABI.md, "Codes"); numbers never change.
type Code int32

// The codes of ABI writ1.
const (
	OK          Code = 0
	Denied      Code = 1 // not granted, or refused by the grant
	Invalid     Code = 2 // malformed request: pointer, name, path, header
	NotFound    Code = 3 // no such key, operation or entry
	Limit       Code = 4 // a quota of this call is used up, or the value is too large
	Unavailable Code = 5 // the other side did not answer: network, name, timeout
	Conflict    Code = 6 // a concurrent change won
	Unsupported Code = 7 // part of the ABI that this Writ does not build yet
	Cancelled   Code = 8 // the call was cancelled or is past its deadline
	Internal    Code = 9 // the host failed; details are in its log only

	// Running is no failure: the operation has not ended. It is a code of its own, so that a conflict is
	// not taken for it and waited for.
	Running Code = 10
)

// Error is a refused or failed effect. Text is one sentence written by the host for the servlet's
// author and the model; it never holds a host path, an address or a secret.
type Error struct {
	Code Code
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Text, e.Code) }

// Bounds of the header of an HTTP request; an answer's is cut to them.
const (
	MaxHeaders     = 64       // fields
	MaxHeaderBytes = 16 << 10 // of all names and values together
)

// Header is one HTTP header field. Repeated names are repeated entries.
type Header struct{ Name, Value string }

// HTTPRequest asks for one exchange with the origin granted under a capability id. The guest never
// writes a URL: the host builds it from the granted origin.
//
// A guest of ABI extism1 does write a URL, and no id: then URL is what it wrote, Capability, Path and
// Query are empty, and the host finds the capability under which it may be asked for.
type HTTPRequest struct {
	Capability string
	URL        string // empty: Capability, Path and Query say what is asked for
	Method     string
	Path       string // absolute, unescaped form is decided by the guard
	Query      string // raw, without "?"
	Header     []Header
	Body       []byte
}

// HTTPResponse is what came back. Body is decompressed and capped.
type HTTPResponse struct {
	Status int
	Header []Header
	Body   []byte
}

// WebRequest asks for one public page by its full URL, under the capability web.
type WebRequest struct {
	Method string // GET or HEAD
	URL    string // as the guest wrote it
	Header []Header
	Body   []byte // refused unless empty: pages are read, never written
}

// WebResponse is a page and where it was after redirects, without a fragment.
type WebResponse struct {
	URL string
	HTTPResponse
}

// Bounds of what a servlet keeps between calls.
const (
	MaxKVKey    = 512     // bytes of a key
	MaxKVValue  = 1 << 20 // bytes of a value
	MaxKVListed = 1000    // keys of one page of a list
	MaxKVValues = 1 << 20 // bytes of one page's values, unless it has a single key
)

// KVOp is what is done with what a servlet keeps.
type KVOp string

// The operations of kv.
const (
	KVGet    KVOp = "get"
	KVSet    KVOp = "set"
	KVDelete KVOp = "delete"
	KVList   KVOp = "list"
)

// KVRequest asks for an operation on what the servlet keeps for the owner of the call, under the capability
// kv. Which servlet, caller and space that is, no request can say.
type KVRequest struct {
	Op     KVOp
	Key    string // of get, set and delete
	Value  []byte // of set; must not be kept: it is the guest's memory
	Prefix string // of list
	Cursor string // of list: the key after which it goes on
	Values bool   // of list: with the values
}

// KVResponse is the answer. Keys are in the order of their bytes, Values belong to them.
type KVResponse struct {
	Value  []byte   // of get
	Keys   []string // of list
	Values [][]byte // of list with values
	More   bool     // of list: it goes on after the last key
}

// Errno is a WASI preview 1 error number, as files answer with.
// Source: WebAssembly/WASI, legacy/preview1/docs.md, "errno".
type Errno uint16

// The WASI errors that files answer with.
const (
	Success     Errno = 0
	ErrAccess   Errno = 2
	ErrBadFD    Errno = 8
	ErrDQuot    Errno = 19
	ErrExist    Errno = 20
	ErrFBig     Errno = 22
	ErrInval    Errno = 28
	ErrIO       Errno = 29
	ErrIsDir    Errno = 31
	ErrLoop     Errno = 32
	ErrMFile    Errno = 33
	ErrNameLong Errno = 37
	ErrNoEnt    Errno = 44
	ErrNoSpc    Errno = 51
	ErrNoSys    Errno = 52
	ErrNotDir   Errno = 54
	ErrNotEmpty Errno = 55
	ErrNotSup   Errno = 58
	ErrPerm     Errno = 63
	ErrRoFS     Errno = 69
	ErrXDev     Errno = 75
	ErrNotCap   Errno = 76
)

// Handle names an open file or directory of one call. Preopened directories come first, from
// FirstHandle on, in the order of the manifest; handles die with the call.
type Handle int32

// FirstHandle is the lowest handle; 0, 1 and 2 are a guest's standard streams.
const FirstHandle Handle = 3

// FileType is a WASI file type.
type FileType uint8

// The file types a guest can meet.
const (
	TypeUnknown   FileType = 0
	TypeDirectory FileType = 3
	TypeRegular   FileType = 4
	TypeSymlink   FileType = 7
)

// Preopen is one directory of the manifest, granted or not.
type Preopen struct {
	Handle Handle
	Guest  string
}

// Open asks for a file or directory below an open directory.
type Open struct {
	Dir       Handle
	Path      string
	Read      bool
	Write     bool
	Append    bool
	Create    bool
	Exclusive bool
	Truncate  bool
	Directory bool // refuse anything else
	Follow    bool // follow a symbolic link in the last element (it must stay inside)
}

// Stat describes a file. Device and inode numbers are those of the call's view, not of the host.
type Stat struct {
	Type     FileType
	Size     int64
	Inode    uint64
	Links    uint64
	Modified int64 // nanoseconds since 1970
	Accessed int64
	Changed  int64
}

// Entry is one name in a directory.
type Entry struct {
	Name  string
	Type  FileType
	Inode uint64
	Next  uint64 // cookie that continues after this entry
}

// LogLevel orders the lines that a guest logs.
type LogLevel uint8

// The levels of ABI writ1.
const (
	Debug LogLevel = 0
	Info  LogLevel = 1
	Warn  LogLevel = 2
	Fault LogLevel = 3
)

// LogLine is one line that the guest wrote: capped, and escaped before it reaches a terminal.
type LogLine struct {
	Level LogLevel
	Text  string
}
