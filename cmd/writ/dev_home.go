package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/vault"
)

// devPrefix begins the names of throw-away folders; the id of the process that owns one follows.
const devPrefix = "writ-dev-"

// devStale is for how long nothing has touched a folder whose process is gone. A living one touches its own
// far more often: where several systems share a folder for temporary files, their process ids mean nothing
// to each other.
const devStale = 10 * time.Minute

// open makes the throw-away home, and clears away those that killed processes left.
func (d *dev) open() error {
	clearDevHomes(os.TempDir(), time.Now())
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", devPrefix, os.Getpid()))
	if err != nil {
		return fmt.Errorf("making a throw-away home: %w", err)
	}
	// A grant names what is really there, and the home must be seen to lie beside it.
	if d.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	d.reg, err = registry.Open(filepath.Join(d.dir, "home"), &registry.Options{Keyring: &heldKeys{}})
	if err != nil {
		return errors.Join(err, os.RemoveAll(d.dir))
	}
	if d.cache = codeCache(d.house); d.cache == "" {
		d.cache = codeCache(d.reg.Home())
	}
	return nil
}

// close deletes the throw-away home.
func (d *dev) close() error {
	return errors.Join(d.reg.Close(), os.RemoveAll(d.dir))
}

// clearDevHomes deletes the throw-away folders in dir whose processes are gone. What cannot be deleted is
// another user's, or will be found the next time.
func clearDevHomes(dir string, now time.Time) {
	found, _ := filepath.Glob(filepath.Join(dir, devPrefix+"*"))
	for _, path := range found {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), devPrefix), "-")
		pid, err := strconv.Atoi(text)
		info, missing := os.Lstat(path)
		if err != nil || missing != nil || !info.IsDir() || now.Sub(info.ModTime()) < devStale || processLives(pid) {
			continue
		}
		_ = os.RemoveAll(path)
	}
}

func processLives(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false // Windows
	}
	defer p.Release()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// heldKeys keeps the key of a throw-away home's secrets in this process alone: what a killed one leaves on
// disk opens for nobody.
type heldKeys struct {
	mu    sync.Mutex
	texts map[string]string // guarded by mu
}

var _ vault.Store = (*heldKeys)(nil)

// Get implements vault.Store.
func (k *heldKeys) Get(_ context.Context, name string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	text, ok := k.texts[name]
	if !ok {
		return "", vault.ErrLocked
	}
	return text, nil
}

// Put implements vault.Store.
func (k *heldKeys) Put(_ context.Context, name, text string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.texts == nil {
		k.texts = map[string]string{}
	}
	k.texts[name] = text
	return nil
}

// Delete implements vault.Store.
func (k *heldKeys) Delete(_ context.Context, name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.texts, name)
	return nil
}
