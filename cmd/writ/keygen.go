package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
)

func (a *app) keygenVerb() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "keygen", Args: takes,
		Short: "Make a key to sign servlets with",
		Long: `Make a key to sign servlets with. The file holds the secret: keep it off shared
disks and out of version control. An existing file is never overwritten.`,
		Example: "  writ keygen -o publisher.key\n  writ keygen -o release.key --json",
		RunE: func(*cobra.Command, []string) error {
			if output == "" {
				return usagef("making a key: name the file to write with -o FILE")
			}
			pub, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			if err := writeNew(output, capabilities.FormatKey(key), 0o600); err != nil {
				return usagef("making a key: %s: %w", output, reasonOf(err))
			}
			id := capabilities.KeyID(pub)
			if a.json {
				return a.printJSON(map[string]string{"file": output, "key_id": id, "fingerprint": capabilities.Fingerprint(id)})
			}
			a.say("wrote %s: fingerprint %s", output, capabilities.Fingerprint(id))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	return cmd
}

// reasonOf is an error of the file system without the path, which the sentence around it names.
func reasonOf(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrExist):
		return errors.New("it exists already: choose another name")
	case errors.As(err, &path):
		return path.Err
	}
	return err
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		os.Remove(path)
		return err
	}
	return f.Close()
}
