package capabilities

import "errors"

// Errors that a caller may tell apart. The texts that wrap them say what to do.
var (
	// ErrUnsigned is a Wasm module without an envelope: nobody speaks for it.
	ErrUnsigned = errors.New("not a servlet: no signed manifest in the file")
	// ErrNewer is a servlet made for a later Writ.
	ErrNewer = errors.New("this servlet needs a newer Writ")
	// ErrSignature is an envelope whose signature does not hold for the key that its manifest names.
	ErrSignature = errors.New("signature does not match")
	// ErrModule is a module that is not the one that was signed.
	ErrModule = errors.New("module is not the one that was signed")

	// ErrNotGranted is a tool, or a servlet, that the operator did not allow.
	ErrNotGranted = errors.New("not granted")
	// ErrGrantMismatch is a grant that was given to another servlet, publisher or manifest.
	ErrGrantMismatch = errors.New("grant is for another servlet")
	// ErrUnknownTool is a tool that the manifest does not have.
	ErrUnknownTool = errors.New("unknown tool")
)
