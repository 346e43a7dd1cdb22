package toolchain

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/writ-run/writ/sdk/typescript"
)

// typesFolder is where a servlet keeps the types that its editor reads; tsconfig.json points to it.
const typesFolder = ".writ/types"

// typesIn are the SDK's types in a folder.
func typesIn(folder string) ([]sourceFile, error) {
	names, err := fs.Glob(typescript.Types, "types/*.d.ts")
	if err != nil {
		return nil, err
	}
	var files []sourceFile
	for _, name := range names {
		text, err := typescript.Types.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, sourceFile{folder + strings.TrimPrefix(name, "types"), text})
	}
	return files, nil
}

// maxTSConfig bounds a tsconfig.json, in bytes.
const maxTSConfig = 1 << 20

// restoreTypes writes the types into a servlet's folder when its tsconfig.json points there and they are
// not there: the author deleted them, to get those of this Writ, or did not commit them.
func restoreTypes(dir string) error {
	config, err := readSource(filepath.Join(dir, "tsconfig.json"), maxTSConfig)
	if err != nil || !bytes.Contains(config, []byte(typesFolder)) {
		return nil // a build does without, and says what is wrong with the file
	}
	if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(typesFolder))); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files, err := typesIn(typesFolder)
	if err == nil {
		err = writeFiles(dir, files)
	}
	if err != nil {
		return fmt.Errorf("building: restoring the types: %w", err)
	}
	return nil
}
