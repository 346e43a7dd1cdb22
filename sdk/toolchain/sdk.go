package toolchain

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// sdkArchive is the source of sdk/go without its tests. That is a module of its own, which go:embed
// cannot reach; a test keeps this copy equal to it.
//
//go:generate go test -run TestSDKArchiveIsCurrent -update .
//go:embed sdk_go.txtar
var sdkArchive []byte

// sdkFolder is where a servlet keeps its copy of the SDK: the go tool does not look for packages in a
// folder with a leading dot, and go.mod points to it.
const sdkFolder = ".writ/sdk"

// maxGoMod bounds a go.mod, in bytes.
const maxGoMod = 1 << 20

// sourceFile is one file of an archive or a template. Names have forward slashes.
type sourceFile struct {
	name string
	data []byte
}

// readArchive reads the txtar format: a line "-- name --" before each file.
func readArchive(archive []byte) []sourceFile {
	var files []sourceFile
	for line := range bytes.Lines(archive) {
		if name, ok := bytes.CutPrefix(line, []byte("-- ")); ok {
			if name, ok = bytes.CutSuffix(name, []byte(" --\n")); ok {
				files = append(files, sourceFile{name: string(name)})
				continue
			}
		}
		if len(files) > 0 {
			last := &files[len(files)-1]
			last.data = append(last.data, line...)
		}
	}
	return files
}

// writeArchive is the inverse of readArchive for files that end in a newline.
func writeArchive(comment string, files []sourceFile) []byte {
	var b bytes.Buffer
	b.WriteString(comment)
	for _, f := range files {
		fmt.Fprintf(&b, "-- %s --\n", f.name)
		b.Write(f.data)
	}
	return b.Bytes()
}

// writeFiles writes files below dir, which exists, and never replaces one.
func writeFiles(dir string, files []sourceFile) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := root.MkdirAll(path.Dir(f.name), 0o755); err != nil {
			return err
		}
		w, err := root.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = w.Write(f.data)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
	}
	return nil
}

var usesSDKFolder = regexp.MustCompile(`(?m)=>\s*"?\./` + regexp.QuoteMeta(sdkFolder) + `"?\s*(//.*)?$`)

// restoreSDK writes the SDK into a servlet's folder when its go.mod points there and it is not there: the
// author deleted it, to get the one of this Writ, or did not commit it.
func restoreSDK(dir string) error {
	mod, err := readSource(filepath.Join(dir, "go.mod"), maxGoMod)
	if errors.Is(err, os.ErrNotExist) {
		return &compilerError{fmt.Sprintf("%s has no go.mod, which names the Go module: copy the one that \"writ new go NAME\" makes", dir)}
	}
	if err != nil {
		return fmt.Errorf("building: %w", err)
	}
	if !usesSDKFolder.Match(mod) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(sdkFolder))); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := writeFiles(dir, sdkIn(sdkFolder)); err != nil {
		return fmt.Errorf("building: restoring the SDK: %w", err)
	}
	return nil
}

// sdkIn is the SDK's source in a folder.
func sdkIn(folder string) []sourceFile {
	files := readArchive(sdkArchive)
	for i := range files {
		files[i].name = strings.TrimSuffix(folder, "/") + "/" + files[i].name
	}
	return files
}
