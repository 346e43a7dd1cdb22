package main

import (
	"context"
	"path/filepath"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/vault"
)

// secrets looks for the key that opens the secrets. A passphrase is not asked for.
func (d *doctor) secrets(ctx context.Context, reg *registry.Registry) {
	key, err := reg.SecretKey(ctx)
	switch {
	case err != nil:
		d.add("secrets", wrong, "", "%v", err)
	case key.Provider == "":
		d.add("secrets", healthy, "", "none was ever set; the key of the first goes into the %s", place(reg.DefaultSecretKey()))
	case key.Problem != "":
		d.add("secrets", wrong, d.mendKey(key.Provider), "%s cannot be opened: %s", counted(key.Secrets, "secret"), key.Problem)
	case key.Provider == vault.Passphrase:
		d.add("secrets", healthy, "", "%s, behind a passphrase", counted(key.Secrets, "secret"))
	case key.Provider == vault.File && filepath.Dir(filepath.Dir(key.Place)) == reg.Home():
		better := "secret key use file --file PATH"
		if reg.DefaultSecretKey() == vault.Keyring {
			better = "secret key use keyring"
		}
		d.add("secrets", noted, d.command(better), "%s; their key is in the same home: who gets a copy of all of it has them", counted(key.Secrets, "secret"))
	default:
		d.add("secrets", healthy, "", "%s, whose key is in the %s", counted(key.Secrets, "secret"), place(key.Provider))
	}
}

// mendKey is the way on for secrets whose key is not at hand. The last way out is named, too: it costs the
// secrets, and asks first.
func (d *doctor) mendKey(provider string) string {
	first := "a copy of the key file"
	if provider == vault.Keyring {
		first = "unlocking the keyring"
	}
	return first + ", or if the key is lost " + d.command("secret key reset")
}

func place(provider string) string {
	if provider == vault.File {
		return "file system, readable by you alone"
	}
	return provider
}
