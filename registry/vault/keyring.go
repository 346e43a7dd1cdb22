package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"
)

// service is the name under which a keyring shows Writ's entries to its owner.
const service = "writ"

// keyringWait is how long a keyring may take: it may have to ask its owner to unlock it.
const keyringWait = time.Minute

// SystemKeyring is the keyring of the operating system: the keychain of macOS, the Credential Manager
// of Windows, the Secret Service of a Linux or BSD desktop. It is nil where there is none: on a
// server, looking for one would start a message bus.
func SystemKeyring(getenv func(string) string) Store {
	switch runtime.GOOS {
	case "darwin", "windows":
		return systemKeyring{}
	}
	if getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return systemKeyring{}
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bus")); err == nil {
			return systemKeyring{}
		}
	}
	return nil
}

type systemKeyring struct{}

func (systemKeyring) Get(ctx context.Context, name string) (string, error) {
	return await(ctx, func() (string, error) { return keyring.Get(service, name) })
}

func (systemKeyring) Put(ctx context.Context, name, text string) error {
	_, err := await(ctx, func() (string, error) { return "", keyring.Set(service, name, text) })
	return err
}

func (systemKeyring) Delete(ctx context.Context, name string) error {
	_, err := await(ctx, func() (string, error) {
		err := keyring.Delete(service, name)
		if errors.Is(err, keyring.ErrNotFound) {
			err = nil
		}
		return "", err
	})
	return err
}

// await runs one request of the keyring, which takes no context: one that its owner never answers is
// left behind.
func await(ctx context.Context, request func() (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, keyringWait)
	defer cancel()
	type reply struct {
		text string
		err  error
	}
	done := make(chan reply, 1)
	go func() {
		text, err := request()
		done <- reply{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("%w: the keyring does not answer: unlock it", ErrLocked)
	case r := <-done:
		switch {
		case r.err == nil:
			return r.text, nil
		case errors.Is(r.err, keyring.ErrNotFound):
			return "", fmt.Errorf("%w: the keyring has no entry for it", ErrLocked)
		}
		return "", fmt.Errorf("%w: the keyring refuses: %v", ErrLocked, r.err)
	}
}
