package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// certificate is a pair of files that may be replaced while they are in use. What it holds is always a
// pair that was whole and valid when it was read.
type certificate struct {
	certFile, keyFile string
	host              string // a name that it must be for; empty: any
	current           atomic.Pointer[tls.Certificate]
}

// certificatePoll is how often the files are looked at.
const certificatePoll = time.Second

// A certificate that ends is warned of so long before, and so often.
const (
	expiresSoon = 7 * 24 * time.Hour
	warnEvery   = 24 * time.Hour
)

// maxPEM is more than any certificate chain or key has, in bytes.
const maxPEM = 1 << 20

// get is the pair for the next connection.
func (c *certificate) get() *tls.Certificate { return c.current.Load() }

// load reads the files, and takes them only when they can be used.
func (c *certificate) load() error {
	for _, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", file, reasonOf(err))
		case !info.Mode().IsRegular() || info.Size() > maxPEM:
			return fmt.Errorf("%s: not a file of a certificate or key", file)
		}
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	case err != nil:
		return fmt.Errorf("%s and %s: %w", c.certFile, c.keyFile, err)
	}
	now := time.Now()
	switch leaf := pair.Leaf; {
	case leaf == nil || leaf.IsCA && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return fmt.Errorf("%s: its first certificate is not one of a server", c.certFile)
	case now.After(leaf.NotAfter):
		return fmt.Errorf("%s: the certificate expired on %s", c.certFile, leaf.NotAfter.Local().Format(time.DateTime))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("%s: the certificate is valid from %s", c.certFile, leaf.NotBefore.Local().Format(time.DateTime))
	case c.host != "" && leaf.VerifyHostname(c.host) != nil:
		return fmt.Errorf("%s: the certificate is not for %s", c.certFile, c.host)
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return fmt.Errorf("%s: the certificate names no host (as a subject alternative name), and no client would accept it", c.certFile)
	case leaf.ExtKeyUsage != nil && !forServers(leaf):
		return fmt.Errorf("%s: the certificate is not for servers", c.certFile)
	}
	if err := secretFile(c.keyFile); err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

// secretFile refuses a key that everybody on this machine can read, or that others can replace. Its group may
// read it: that is how a server that is nobody in particular is given one that belongs to the system. On
// Windows the mode says nothing of who can.
func secretFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, reasonOf(err))
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0 {
		return fmt.Errorf("others can read or change the key in %s; run: chmod 600 %s", path, path)
	}
	return nil
}

func forServers(leaf *x509.Certificate) bool {
	for _, use := range leaf.ExtKeyUsage {
		if use == x509.ExtKeyUsageServerAuth || use == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}

// follow loads the files again when they were replaced, and when asked, until ctx ends. A pair that
// cannot be used is told and left; the one before stays.
func (c *certificate) follow(ctx context.Context, asked <-chan os.Signal, log *slog.Logger) {
	tick := time.NewTicker(certificatePoll)
	defer tick.Stop()
	loaded := c.state()
	last := loaded
	var warned time.Time
	for {
		if left := time.Until(c.get().Leaf.NotAfter); left < expiresSoon && time.Since(warned) >= warnEvery {
			warned = time.Now()
			log.Warn("the certificate expires soon, or has expired: replace its files", "expires", c.get().Leaf.NotAfter)
		}
		now := last
		select {
		case <-ctx.Done():
			return
		case <-asked:
			now = c.state()
		case <-tick.C:
			now = c.state()
			// The two files are replaced one after the other: they are read once both have stood still.
			if now == loaded || now != last {
				last = now
				continue
			}
		}
		last, loaded = now, now
		if err := c.load(); err != nil {
			log.Warn("the new certificate cannot be used, the one before stays", "error", err)
			continue
		}
		log.Info("took a new certificate", "expires", c.get().Leaf.NotAfter)
	}
}

// fileState tells a file from what it was replaced by.
type fileState struct {
	modified time.Time
	size     int64
	missing  bool
}

func (c *certificate) state() (both [2]fileState) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			both[i].missing = true
			continue
		}
		both[i] = fileState{modified: info.ModTime(), size: info.Size()}
	}
	return both
}
