package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// flushInput discards what a console has received and nobody has read.
func flushInput(f *os.File) error {
	return windows.FlushConsoleInputBuffer(windows.Handle(f.Fd()))
}
