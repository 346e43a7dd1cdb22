package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxAnswer is the longest line that a question accepts, in bytes.
const maxAnswer = 4 << 10

// errNoAnswer is an end of input where an answer was wanted.
var errNoAnswer = errors.New("no answer")

// readAnswer reads one line that was typed after the screen above the prompt was shown. What was
// typed before is thrown away: a "yes" pasted or typed ahead must not approve a screen that nobody
// has read.
func (a *app) readAnswer(ctx context.Context, prompt string) (string, error) {
	if err := flushInput(a.stdin); err != nil {
		return "", err
	}
	fmt.Fprint(a.stderr, prompt)
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	// The goroutine ends with the process when ctx ends first: a blocked read of a terminal cannot
	// be taken back.
	go func() {
		line, err := readLine(a.stdin)
		done <- read{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errNoAnswer
	case r := <-done:
		return r.line, r.err
	}
}

// readLine reads up to a newline, byte for byte so that nothing after it is swallowed.
func readLine(f *os.File) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := f.Read(one)
		if n == 1 && one[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if len(line) > maxAnswer {
			return "", errNoAnswer
		}
		if errors.Is(err, io.EOF) {
			return "", errNoAnswer
		}
		if err != nil {
			return "", err
		}
	}
}
