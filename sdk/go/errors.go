package servlet

import (
	"errors"
	"fmt"

	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// Why the host did not do what was asked. Match them with errors.Is.
var (
	ErrDenied      = errors.New("not granted")
	ErrInvalid     = errors.New("malformed request")
	ErrNotFound    = errors.New("not found")
	ErrLimit       = errors.New("limit of this call reached")
	ErrUnavailable = errors.New("the other side did not answer")
	ErrConflict    = errors.New("changed by somebody else")
	ErrUnsupported = errors.New("not supported by this host")
	ErrCancelled   = errors.New("cancelled")
	ErrInternal    = errors.New("the host failed")
)

var byCode = [...]error{
	abi.Denied:      ErrDenied,
	abi.Invalid:     ErrInvalid,
	abi.NotFound:    ErrNotFound,
	abi.Limit:       ErrLimit,
	abi.Unavailable: ErrUnavailable,
	abi.Conflict:    ErrConflict,
	abi.Unsupported: ErrUnsupported,
	abi.Cancelled:   ErrCancelled,
	abi.Internal:    ErrInternal,
}

// hostError is a refusal with the sentence that the host gave for it.
type hostError struct {
	kind error
	text string
}

func (e *hostError) Error() string { return e.text }
func (e *hostError) Unwrap() error { return e.kind }

// failure turns a negated code into an error; text is the host's sentence, if it gave one.
func failure(code int32, text string) error {
	kind := ErrInternal
	if i := int(-code); i > 0 && i < len(byCode) {
		kind = byCode[i]
	}
	if text == "" {
		return kind
	}
	return &hostError{kind, text}
}

// Errorf makes an error for the model to read; %w works as in package fmt. Any other error serves as well.
func Errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
