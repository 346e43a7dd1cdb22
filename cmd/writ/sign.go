package main

import (
	"crypto/ed25519"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/sdk/toolchain"
)

func (a *app) signVerb() *cobra.Command {
	var keyFile, output string
	var seq uint64
	var valid time.Duration
	cmd := &cobra.Command{
		Use: "sign FILE", Args: takes,
		Short:   "Sign a servlet for release with a key of your own",
		Example: "  writ sign weather.wasm --key publisher.key\n  writ sign weather.wasm --key publisher.key -o release.wasm --valid 4380h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if keyFile == "" {
				return usagef("signing %s: name the key with --key FILE (make one with `writ keygen -o FILE`)", args[0])
			}
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			file, err := readServlet(args[0])
			if err != nil {
				return err
			}
			signed, err := toolchain.Sign(file, toolchain.SignOptions{Key: key, Seq: seq, Expires: valid})
			if err != nil {
				return usagef("signing %s: %w", args[0], err)
			}
			if output == "" {
				output = args[0]
			}
			if err := toolchain.WriteServlet(output, signed); err != nil {
				return usageError{err}
			}
			return a.saySigned(output, signed)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&keyFile, "key", "", "file with the secret key")
	flags.StringVarP(&output, "output", "o", "", "file to write (default: FILE itself)")
	flags.Uint64Var(&seq, "seq", 0, "sequence number, above that of every earlier release (default: the Unix time)")
	flags.DurationVar(&valid, "valid", 0, "how long the file may be newly installed (default: a year)")
	return cmd
}

func (a *app) saySigned(path string, signed []byte) error {
	u, err := capabilities.Read(signed)
	if err != nil {
		return err
	}
	s, err := u.Verify()
	if err != nil {
		return err
	}
	m := s.Manifest()
	if a.json {
		return a.printJSON(map[string]any{"file": path, "digest": s.Digest(), "key_id": s.KeyID(), "seq": m.Seq, "issued": m.Issued, "expires": m.Expires})
	}
	a.say("signed %s: %s %s, key %s, to be installed until %s", path, m.Name, m.Version, capabilities.Fingerprint(s.KeyID()), m.Expires)
	return nil
}

// readKey reads a secret key file.
func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := readLimited(path, 4<<10)
	if err != nil {
		return nil, usagef("reading the key: %v", err)
	}
	key, err := capabilities.ParseKey(text)
	if err != nil {
		return nil, usagef("reading the key: %s: %v", path, err)
	}
	return key, nil
}

// readServlet reads a servlet file as bytes.
func readServlet(path string) ([]byte, error) {
	file, err := readLimited(path, approval.MaxFile)
	if err != nil {
		return nil, usagef("reading the servlet: %v", err)
	}
	if len(file) > approval.MaxFile {
		return nil, usagef("reading the servlet: %s: larger than %d MiB", path, approval.MaxFile>>20)
	}
	return file, nil
}
