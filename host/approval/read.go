package approval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/schema"
	"github.com/writ-run/writ/registry"
)

// Read reads the file at path once (at most MaxFile bytes), verifies its signature and manifest,
// gates its module and compiles the cost of its schemas. What it verified is what the Candidate
// keeps: the file is never opened again. No guest code runs.
func Read(ctx context.Context, path string) (*Candidate, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown(path), err)
	}
	c, err := open(ctx, file, path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown(path), oneLine{err})
	}
	return c, nil
}

// Verify is Read of bytes that were fetched already. The Candidate keeps them: nobody may change them any
// more. source is what an installation remembers of where they came from.
func Verify(ctx context.Context, file []byte, source string) (*Candidate, error) {
	switch {
	case len(file) == 0:
		return nil, fmt.Errorf("reading %s: is empty", shown(source))
	case len(file) > MaxFile:
		return nil, fmt.Errorf("reading %s: is larger than %d MiB, the most a servlet may have", shown(source), MaxFile>>20)
	}
	c, err := open(ctx, file, source)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown(source), oneLine{err})
	}
	return c, nil
}

// oneLine is an error of several lines as its first one: a manifest may have many problems, and a
// terminal wants to know where to begin.
type oneLine struct{ err error }

func (e oneLine) Unwrap() error { return e.err }

func (e oneLine) Error() string {
	first, rest, more := strings.Cut(e.err.Error(), "\n")
	if !more {
		return first
	}
	return fmt.Sprintf("%s (and %s more)", first, counted(strings.Count(rest, "\n")+1, "problem"))
}

// Load reads what is installed under an alias of the caller's space, and checks it as Read does.
func Load(ctx context.Context, reg *registry.Registry, by capabilities.Caller, alias string) (*Candidate, registry.Installation, error) {
	in, err := reg.Lookup(ctx, by, alias)
	if err != nil {
		return nil, registry.Installation{}, err // it names the alias and the way on
	}
	file, err := reg.Blob(ctx, in.Digest)
	if err != nil {
		return nil, registry.Installation{}, unloadable(alias, err)
	}
	c, err := openApproved(ctx, file, in.Source)
	if err != nil {
		return nil, registry.Installation{}, fmt.Errorf("loading %s: %w", alias, oneLine{err})
	}
	return c, in, nil
}

// worded is an error in words of its own that still matches the one it stands for.
type worded struct {
	text string
	err  error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.err }

// unloadable says what to do when the file that was installed is gone or was changed.
func unloadable(alias string, err error) error {
	what := ""
	switch {
	case errors.Is(err, registry.ErrNotFound):
		what = "missing from Writ's home"
	case errors.Is(err, registry.ErrDamaged):
		what = "damaged in Writ's home"
	default:
		return fmt.Errorf("loading %s: %w", alias, err)
	}
	return &worded{fmt.Sprintf("the file of %s is %s: remove it with \"writ remove %s\" and install it again from its file (settings are kept)", alias, what, alias), err}
}

// getAgain is what to do about a file that is not as its publisher made it.
const getAgain = "get it again from its publisher"

func readFile(path string) ([]byte, error) {
	// Without O_NONBLOCK, opening a named pipe that nobody writes to would never return.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, bare(err)
	case info.IsDir():
		return nil, errors.New("is a directory, not a servlet file: build it with \"writ build\"")
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	}
	// The size may change while it is read, so the reader is bounded and not only the first look.
	file, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	switch {
	case err != nil:
		return nil, bare(err)
	case len(file) > MaxFile:
		return nil, fmt.Errorf("is larger than %d MiB, the most a servlet may have", MaxFile>>20)
	case len(file) == 0:
		return nil, errors.New("is empty")
	}
	return file, nil
}

// bare drops the path from an error of the file system: the caller names it.
func bare(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &worded{"no such file", fs.ErrNotExist}
	case errors.Is(err, fs.ErrPermission):
		return &worded{"not allowed to read it", fs.ErrPermission}
	case errors.As(err, &path):
		return path.Err
	}
	return err
}

const wasmMagic = "\x00asm"

// open verifies a file that nobody here has approved yet.
func open(ctx context.Context, file []byte, source string) (*Candidate, error) {
	c, err := openApproved(ctx, file, source)
	if err != nil {
		return nil, err
	}
	if err := refuseForged(c.Servlet.KeyID(), c.Servlet.Digest()); err != nil {
		return nil, err
	}
	return c, nil
}

// openApproved verifies a file that was installed. One that was built into another binary stays what it
// was: Writ may be upgraded without a loss.
func openApproved(ctx context.Context, file []byte, source string) (*Candidate, error) {
	if len(file) < len(wasmMagic) || string(file[:len(wasmMagic)]) != wasmMagic {
		return nil, errors.New("is not a Wasm file")
	}
	unverified, err := capabilities.Read(file)
	if errors.Is(err, capabilities.ErrUnsigned) {
		return nil, fmt.Errorf("%w (was it built with \"writ build\"?)", capabilities.ErrUnsigned)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, getAgain) // its form is broken
	}
	servlet, err := unverified.Verify()
	if errors.Is(err, capabilities.ErrSignature) || errors.Is(err, capabilities.ErrModule) {
		return nil, fmt.Errorf("%w: %s", err, getAgain)
	}
	if err != nil {
		return nil, err
	}
	m := servlet.Manifest()
	admitted, err := sandbox.Admit(servlet.Module(), m.Module.ABI, m.Capabilities.Kinds())
	if err != nil {
		return nil, err
	}
	if err := checkSchemas(ctx, servlet.Tools()); err != nil {
		return nil, err
	}
	return &Candidate{
		Servlet: servlet,
		Source:  source,
		Kinds:   admitted.Kinds(),
		Imports: admitted.Imports(),

		admitted: admitted,
		file:     file,
	}, nil
}

func checkSchemas(ctx context.Context, tools []capabilities.Tool) error {
	for _, tool := range tools {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := schema.Accept(tool.InputSchema, tool.OutputSchema); err != nil {
			return fmt.Errorf("tool %s: %w", tool.Name, err)
		}
	}
	return nil
}

// shown is a name from outside in an error of one line.
func shown(s string) string { return capabilities.Printable(s, 256) }
