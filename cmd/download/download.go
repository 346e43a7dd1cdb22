// Package download fetches one file over HTTPS into memory. Nothing is written to disk, so that a
// download which ends early, however it ends, leaves nothing behind, and what was verified can be
// changed by nobody before it is used. What came is only bytes: who signed them is for others to say.
//
// The rules: https with TLS 1.2 or newer and the system's roots, http to this machine only, no
// credentials in addresses, at most 5 redirects of which each is held to the same rules and none
// leads from https to http, status 200, no compression, and limits on size, silence and time.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Errors that a caller may tell apart. The texts that wrap them say what was wrong, and never hold a
// query: it may be what gives access.
var (
	// ErrAddress is an address that is not fetched from, as it was named or as a redirect named it.
	ErrAddress = errors.New("address not accepted")
	// ErrRedirect is a redirect that is not followed.
	ErrRedirect = errors.New("redirect not followed")
	// ErrStatus is an answer other than 200.
	ErrStatus = errors.New("no file in the answer")
	// ErrTooLarge is a file above Config.Max.
	ErrTooLarge = errors.New("too large")
	// ErrTimeout is a download that took longer than Config.Time, or was silent for Config.Idle.
	ErrTimeout = errors.New("too slow")
	// ErrIncomplete is a file that ended before its announced end.
	ErrIncomplete = errors.New("incomplete")
	// ErrUnreachable is a server that could not be reached, or not be believed.
	ErrUnreachable = errors.New("not reachable")
)

const (
	maxRedirects = 5
	maxHeader    = 64 << 10 // bytes of an answer's header
	firstRoom    = 64 << 10 // bytes to begin with when the size is not known
	maxAddress   = 2048     // bytes
)

// Config are the limits of downloads. All but Progress are required: a zero limit lets nothing pass.
type Config struct {
	Max  int64         // bytes of the file
	Time time.Duration // for all of it, redirects included
	Idle time.Duration // without a byte
	// Progress is told what came so far and the announced size, -1 when none was; nil: nobody is told.
	// It is called by the goroutine that called Fetch, before the first byte and after each piece.
	Progress func(came, size int64)
}

// Fetch returns the file at address, which is whole as far as the server said how long it is.
func Fetch(ctx context.Context, address string, cfg Config) ([]byte, error) {
	at, err := Parse(address)
	if err != nil {
		return nil, err
	}
	client, done := newClient(cfg)
	defer done()
	return fetch(ctx, client, at, cfg)
}

func fetch(ctx context.Context, client *http.Client, at Address, cfg Config) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Time, fmt.Errorf("%w: it was not done after %v", ErrTimeout, cfg.Time))
	defer cancel()
	ctx, watch := newWatch(ctx, cfg.Idle)
	defer watch.stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, withoutAddress(err))
	}
	req.Header.Set("User-Agent", "writ")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := client.Do(req)
	if err != nil {
		return nil, explained(ctx, err)
	}
	defer resp.Body.Close()
	if err := acceptable(resp, cfg.Max); err != nil {
		return nil, err
	}
	file, err := readAll(resp, cfg, watch)
	if err != nil {
		return nil, explained(ctx, err)
	}
	return file, nil
}

// acceptable judges an answer by its header. The status is told in words of our own: those of the
// answer are the server's.
func acceptable(resp *http.Response, limit int64) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: the server answered %d %s", ErrStatus, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	// What is packed can be any size when it is unpacked, and its digest is another one.
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return fmt.Errorf("%w: the server sent it compressed although it was asked not to", ErrStatus)
	}
	if resp.ContentLength > limit {
		return tooLarge(limit)
	}
	return nil
}

func tooLarge(limit int64) error {
	if limit < 1<<20 {
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return fmt.Errorf("%w: more than %d MiB, the most that is taken", ErrTooLarge, limit>>20)
}

// readAll reads the body as far as the limit. The announced size is a promise: memory is taken for what
// came.
func readAll(resp *http.Response, cfg Config, watch *watch) ([]byte, error) {
	tell := cfg.Progress
	if tell == nil {
		tell = func(int64, int64) {}
	}
	tell(0, resp.ContentLength)
	file := make([]byte, 0, firstRoom)
	for {
		if len(file) == cap(file) {
			file = append(file, 0)[:len(file)]
		}
		n, err := resp.Body.Read(file[len(file):cap(file)])
		file = file[:len(file)+n]
		if n > 0 {
			watch.touch()
		}
		if int64(len(file)) > cfg.Max {
			return nil, tooLarge(cfg.Max)
		}
		tell(int64(len(file)), resp.ContentLength)
		switch {
		case errors.Is(err, io.EOF): // net/http has another error for an end before the announced one
			return file, nil
		case err != nil && resp.Request.Context().Err() == nil:
			return nil, fmt.Errorf("%w: the connection ended after %d bytes", ErrIncomplete, len(file))
		case err != nil:
			return nil, err
		}
	}
}

// explained is why a download failed. The client's own error begins with the whole address; ours does
// not, since a query may be what gives access, and the caller names the address anyway.
func explained(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, own := range []error{ErrAddress, ErrRedirect, ErrTooLarge, ErrIncomplete} {
		if errors.Is(err, own) {
			return withoutAddress(err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, withoutAddress(err))
}

// withoutAddress takes off what net/http puts around an error.
func withoutAddress(err error) error {
	var at *url.Error
	for errors.As(err, &at) {
		err = at.Err
	}
	return err
}
