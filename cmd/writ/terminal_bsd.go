//go:build unix && !linux

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// flushInput discards what a terminal has received and nobody has read. The argument is FREAD of
// <sys/file.h>, which the BSDs and macOS take by address.
func flushInput(f *os.File) error {
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCFLUSH, 1)
}
