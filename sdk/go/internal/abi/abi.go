// Package abi is the guest side of Writ's guest interface, writ1. Compiled to wasip1 its functions are
// the imports themselves, one Go function per import, so that the linker drops what a servlet does not
// use: what a module does not import it provably cannot do. Compiled for any other system they reach a
// [Host] in this process, which is how tests run a servlet.
package abi

// Codes of the interface, as the host returns them negated.
const (
	Denied      = 1
	Invalid     = 2
	NotFound    = 3
	Limit       = 4
	Unavailable = 5
	Conflict    = 6
	Unsupported = 7
	Cancelled   = 8
	Internal    = 9
)

// Parts of a finished operation.
const (
	PartHead  = 0 // JSON
	PartBody  = 1 // bytes
	PartError = 2 // one sentence
)

// Running is what [Status] returns for an operation that has not finished.
const Running = -10
