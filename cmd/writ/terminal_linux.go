package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// flushInput discards what a terminal has received and nobody has read (tcflush, POSIX.1 11.2.3).
func flushInput(f *os.File) error {
	return unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
