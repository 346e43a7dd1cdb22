package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/term"

	"github.com/writ-run/writ/capabilities"
)

// maxTyped is the longest line that a terminal hands over whole on every system (POSIX MAX_CANON is
// less; Linux cuts at 4095 bytes without a word).
const maxTyped = 4094

var errTypedLong = errors.New("a terminal cuts lines that are so long: give the value on standard input")

// secretInput reads the value of a secret: hidden from a terminal, else all of standard input without
// one line break at its end.
func (a *app) secretInput(ctx context.Context, key string) (capabilities.SecretValue, error) {
	if a.interactive() {
		text, err := a.readHidden(ctx, key+": ")
		if err != nil {
			return capabilities.SecretValue{}, err
		}
		return capabilities.NewSecretValue(string(text))
	}
	if term.IsTerminal(int(a.stdin.Fd())) {
		return capabilities.SecretValue{}, errors.New("standard error is no terminal to ask on: give the value on standard input")
	}
	text, err := io.ReadAll(io.LimitReader(a.stdin, capabilities.MaxSecret+3))
	defer clear(text)
	if err != nil {
		return capabilities.SecretValue{}, fmt.Errorf("reading standard input: %w", err)
	}
	return capabilities.NewSecretValue(string(withoutBreak(text)))
}

// withoutBreak drops one line break at the end, which echo and editors put there.
func withoutBreak(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}

// readHidden reads one line that the terminal does not show. What was typed ahead is thrown away, as it
// was shown. The terminal shows what is typed again when it returns, also after an interrupt.
func (a *app) readHidden(ctx context.Context, prompt string) ([]byte, error) {
	fd := int(a.stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	if err := flushInput(a.stdin); err != nil {
		return nil, err
	}
	fmt.Fprint(a.stderr, prompt)
	type read struct {
		line []byte
		err  error
	}
	done := make(chan read, 1)
	// As in readAnswer, a blocked read ends with the process.
	go func() {
		line, err := term.ReadPassword(fd)
		done <- read{line, err}
	}()
	defer fmt.Fprintln(a.stderr)
	select {
	case <-ctx.Done():
		term.Restore(fd, before)
		return nil, errNoAnswer
	case r := <-done:
		switch {
		case errors.Is(r.err, io.EOF):
			return nil, errNoAnswer
		case r.err != nil:
			return nil, r.err
		case len(r.line) > maxTyped:
			return nil, errTypedLong
		}
		return r.line, nil
	}
}

// askPassphrase is how the registry gets the passphrase of the secrets: from --passphrase-fd, or from
// the person at the terminal; nil when there is neither, as in a server whose terminal is a client's.
func (a *app) askPassphrase() func(ctx context.Context, fresh bool) ([]byte, error) {
	switch {
	case a.passphrases != nil:
		return func(context.Context, bool) ([]byte, error) { return a.nextPassphrase() }
	case a.serving || !a.interactive():
		return nil
	}
	return func(ctx context.Context, fresh bool) ([]byte, error) {
		if !fresh {
			return a.readHidden(ctx, "Passphrase of the secrets: ")
		}
		first, err := a.readHidden(ctx, "New passphrase for the secrets: ")
		if err != nil {
			return nil, err
		}
		if len(first) < minPassphrase {
			return nil, usagef("a passphrase has at least %d bytes", minPassphrase)
		}
		again, err := a.readHidden(ctx, "The same again: ")
		if err == nil && !bytes.Equal(first, again) {
			err = usagef("the two passphrases differ")
		}
		return first, err
	}
}

// minPassphrase keeps out what is guessed at once, at 250 ms a guess; bytes.
const minPassphrase = 8

// openPassphrases checks --passphrase-fd.
func (a *app) openPassphrases() error {
	if a.passphraseFD == "" {
		return nil
	}
	fd, err := strconv.ParseUint(a.passphraseFD, 10, 16)
	if err != nil {
		return usagef("--passphrase-fd %q: want the number of a file descriptor", a.passphraseFD)
	}
	if a.passphrases = a.stdin; fd != 0 {
		a.passphrases = os.NewFile(uintptr(fd), "passphrase")
	}
	if a.passphrases == nil {
		return usagef("--passphrase-fd %d: no such file descriptor", fd)
	}
	if _, err := a.passphrases.Stat(); err != nil {
		return usagef("--passphrase-fd %d: no such file descriptor", fd)
	}
	return nil
}

// nextPassphrase reads the next line of --passphrase-fd.
func (a *app) nextPassphrase() ([]byte, error) {
	line, err := lastLine(a.passphrases)
	switch {
	case err != nil:
		return nil, usagef("--passphrase-fd %s: cannot read a line from it", a.passphraseFD)
	case len(line) < minPassphrase:
		return nil, usagef("--passphrase-fd %s: a passphrase has at least %d bytes", a.passphraseFD, minPassphrase)
	}
	return line, nil
}

// lastLine reads one line, byte for byte; the last one needs no line break.
func lastLine(f io.Reader) ([]byte, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) <= maxAnswer {
		n, err := f.Read(one)
		if n == 1 && one[0] == '\n' || n == 0 && errors.Is(err, io.EOF) && len(line) > 0 {
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		line = append(line, one[:n]...)
		if err != nil {
			return nil, err
		}
	}
	return nil, errTypedLong
}

// absolute is filepath.Abs that leaves nothing as nothing.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}
