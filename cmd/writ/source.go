package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/cmd/download"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/servlets/builtin"
)

// sourceFlags say how a servlet file is got.
type sourceFlags struct {
	timeout time.Duration
	sha256  string
	quiet   bool // no bar is drawn
}

// errNotKept is a source of which Writ did not keep enough to read it again.
var errNotKept = errors.New("where it came from is not known: name it with --from")

const (
	downloadTime = 5 * time.Minute
	// downloadIdle is how long a server may be silent, unless less than that is left.
	downloadIdle = 30 * time.Second
)

func (f *sourceFlags) register(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", downloadTime, "how long a download may take")
	cmd.Flags().StringVar(&f.sha256, "sha256", "", "digest that the file must have, in 64 hex digits")
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (f *sourceFlags) check() error {
	if f.timeout <= 0 {
		return usagef("--timeout %v: want a duration such as 30s or 5m", f.timeout)
	}
	if f.sha256 != "" && !digestForm.MatchString(strings.ToLower(f.sha256)) {
		return usagef("--sha256 %s: want 64 hex digits", capabilities.Printable(f.sha256, 70))
	}
	return nil
}

// candidate reads a servlet from where a person named it: an address, a file, or a servlet that is built
// into this binary. A word without slashes and dots is a file only where nothing built in has that name.
func (a *app) candidate(ctx context.Context, named string, f sourceFlags) (*approval.Candidate, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	c, err := a.readNamed(ctx, named, f)
	if err != nil {
		return nil, usageError{err}
	}
	if got := c.Servlet.Digest(); f.sha256 != "" && got != strings.ToLower(f.sha256) {
		return nil, deniedError{fmt.Errorf("reading %s: it has the digest %s, which is not that of --sha256", c.Source, got)}
	}
	return c, nil
}

func (a *app) readNamed(ctx context.Context, named string, f sourceFlags) (*approval.Candidate, error) {
	if download.Is(named) {
		return a.fetch(ctx, named, f)
	}
	if !strings.ContainsAny(named, `./\`) && named != "" {
		return readWord(ctx, named)
	}
	return readPath(ctx, named)
}

// readPath reads a file, and remembers where it is seen from everywhere.
func readPath(ctx context.Context, path string) (*approval.Candidate, error) {
	c, err := approval.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	if c.Source, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return c, nil
}

// readWord reads what is built in under a name, else the file of that name. Where both are, nobody can
// know which was meant: a file that lies about must not come in by the name of a servlet of Writ's.
func readWord(ctx context.Context, word string) (*approval.Candidate, error) {
	info, err := os.Stat(word)
	file := err == nil && info.Mode().IsRegular()
	c, err := approval.ReadBuiltIn(ctx, word)
	switch {
	case err == nil && file:
		return nil, fmt.Errorf("%s is a file here and a servlet that is built into writ: write ./%s for the file, or do it in another folder", word, word)
	case !errors.Is(err, builtin.ErrUnknown):
		return c, err
	case file || info != nil:
		return readPath(ctx, word)
	}
	return nil, fmt.Errorf("reading %s: no such file, and no servlet of that name is built into this writ (see \"writ search\")", capabilities.Printable(word, maxCell))
}

// builtIn says that a servlet of that name is built into this binary.
func builtIn(name string) bool {
	set, err := builtin.Shipped()
	return err == nil && set.Has(name)
}

// fetch downloads a servlet file into memory, fixes its bytes and verifies them.
func (a *app) fetch(ctx context.Context, address string, f sourceFlags) (*approval.Candidate, error) {
	at, err := download.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w", withoutQuery(address), err)
	}
	bar := &progressBar{}
	if !f.quiet {
		bar = a.progressBar(at.String())
	}
	file, err := download.Fetch(ctx, address, download.Config{
		Max: approval.MaxFile, Time: f.timeout, Idle: min(f.timeout, downloadIdle), Progress: bar.show,
	})
	bar.clear()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("downloading %s: interrupted; nothing is kept of it", at)
	}
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w", at, err)
	}
	return approval.Verify(ctx, file, at.String())
}

// withoutQuery is an address that could not be read, without what may give access.
func withoutQuery(address string) string {
	at, _, _ := strings.Cut(address, "?")
	if scheme, rest, ok := strings.Cut(at, "://"); ok {
		if i := strings.LastIndexByte(rest, '@'); i >= 0 {
			at = scheme + "://...@" + rest[i+1:]
		}
	}
	return capabilities.Printable(at, maxCell)
}

// again reads the newest file from where an installation came from.
func (a *app) again(ctx context.Context, source, name string, f sourceFlags) (*approval.Candidate, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	switch {
	case source == builtin.Source:
		c, err := approval.ReadBuiltIn(ctx, name)
		if err != nil {
			return nil, usageError{err}
		}
		return c, nil
	case download.Shortened(source):
		return nil, usagef("%w (%s had a query, which Writ does not keep)", errNotKept, source)
	case !download.Is(source) && !filepath.IsAbs(source):
		return nil, usagef("%w (%s was in a folder that Writ did not keep)", errNotKept, source)
	case download.Is(source):
		return a.candidate(ctx, source, f)
	}
	c, err := readPath(ctx, source)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}
