package toolchain

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/writ-run/writ/sdk/rust"
)

// maxCargoManifest bounds a Cargo.toml, in bytes.
const maxCargoManifest = 1 << 20

// rustSDKIn is the Rust SDK's source in a folder.
func rustSDKIn(folder string) (files []sourceFile, err error) {
	err = fs.WalkDir(rust.Source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := rust.Source.ReadFile(name)
		files = append(files, sourceFile{folder + "/" + name, text})
		return err
	})
	return files, err
}

// readCargoManifest reads the Cargo.toml of a servlet's folder.
func readCargoManifest(dir string) ([]byte, error) {
	text, err := readSource(filepath.Join(dir, cargoFile), maxCargoManifest)
	if err != nil {
		return nil, fmt.Errorf("building: %w", err)
	}
	return text, nil
}

// restoreRustSDK writes the SDK into a servlet's folder when its Cargo.toml points there and it is not
// there: the author deleted it, to get the one of this Writ, or did not commit it.
func restoreRustSDK(dir string, manifest []byte) error {
	if !bytes.Contains(manifest, []byte(`"`+sdkFolder+`"`)) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(sdkFolder))); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files, err := rustSDKIn(sdkFolder)
	if err == nil {
		err = writeFiles(dir, files)
	}
	if err != nil {
		return fmt.Errorf("building: restoring the SDK: %w", err)
	}
	return nil
}
