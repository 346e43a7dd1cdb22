package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

// The exit statuses, part of the command's contract.
const (
	exitOK     = 0
	exitTool   = 1
	exitUsage  = 2
	exitDenied = 3
	exitHost   = 4
)

const exitStatuses = `Exit status: 0 done; 1 the tool answered with an error, or a check found
something; 2 wrong usage or unusable input; 3 refused: not approved, not
granted, not signed; 4 the host could not do it (store, port, file system).`

// usageError is a mistake in the command line or in the input it names.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// deniedError is something that Writ refuses to do, however it is asked.
type deniedError struct{ err error }

func (e deniedError) Error() string { return e.err.Error() }
func (e deniedError) Unwrap() error { return e.err }

// silent ends a run with a status after its output said why.
type silent int

func (s silent) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// statusOf maps an error to an exit status; the one place where that is decided. A store that cannot
// be used comes before everything else: what failed because of it says nothing about the input.
func statusOf(err error) int {
	var usage usageError
	var denied deniedError
	var said silent
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &said):
		return int(said)
	case isAny(err, storeFailures...):
		return exitHost
	case errors.As(err, &denied), isAny(err, refusals...):
		return exitDenied
	case errors.As(err, &usage), isAny(err, host.ErrUnknownTool, registry.ErrNotFound, registry.ErrExists, registry.ErrName, registry.ErrKeyName):
		return exitUsage
	default:
		return exitHost
	}
}

// storeFailures are a store that cannot be used.
var storeFailures = []error{registry.ErrLocked, registry.ErrDamaged, registry.ErrNewer, registry.ErrReadOnly, registry.ErrUnsafe, registry.ErrSecretDamaged}

// refusals are what Writ refuses although the command line is right.
var refusals = []error{
	approval.ErrPlanChanged, approval.ErrDanger, approval.ErrNeedsApproval, approval.ErrNotBuiltIn,
	registry.ErrPublisher, registry.ErrRollback, registry.ErrConflict,
	capabilities.ErrUnsigned, capabilities.ErrSignature, capabilities.ErrModule, capabilities.ErrNotGranted,
	registry.ErrSecretsLocked,
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
}

// maxErrorRunes bounds one error line: a hostile file must not fill a terminal.
const maxErrorRunes = 600

// report prints err as one line and returns its status. Errors may carry text from a servlet file,
// so the line is escaped: a tool's name must not move the cursor.
func (a *app) report(err error) int {
	status := statusOf(err)
	var said silent
	if err == nil || errors.As(err, &said) {
		return status
	}
	if errors.Is(err, toolchain.ErrSource) {
		// An author wants every mistake in the source, with its place.
		fmt.Fprintln(a.stderr, printableLines(err.Error()))
		return status
	}
	first, rest, _ := strings.Cut(err.Error(), "\n")
	line := capabilities.Printable(first, maxErrorRunes)
	if n := strings.Count(rest, "\n") + 1; rest != "" {
		line += fmt.Sprintf(" (and %d more)", n)
	}
	fmt.Fprintf(a.stderr, "writ: %s\n", line)
	return status
}
