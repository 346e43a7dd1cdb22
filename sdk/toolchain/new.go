package toolchain

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

//go:embed template
var templates embed.FS

// placeholder stands for the servlet's name in a template, shortName for its last part.
const (
	placeholder = "{{name}}"
	shortName   = "{{short}}"
)

// Languages are those that New has a template for.
var Languages = []string{"go", "rust", "typescript"}

// LanguageNames are Languages as a sentence names them.
func LanguageNames() string {
	last := len(Languages) - 1
	return strings.Join(Languages[:last], ", ") + " or " + Languages[last]
}

// New writes a new servlet's source into dir, which must not exist or be empty. language is one of
// Languages; name is "name" or "publisher/name" as in a manifest. The folder holds all that a build and
// an editor need of the SDK. After an error nothing of it is left.
func New(dir, language, name string) (err error) {
	if !slices.Contains(Languages, language) {
		return fmt.Errorf("making a servlet: language \"%s\" is not known: write %s", capabilities.Printable(language, 40), LanguageNames())
	}
	short := capabilities.AliasFor(name)
	if short == "" {
		return fmt.Errorf("making a servlet: \"%s\" cannot be a name: write \"name\" or \"publisher/name\" of a-z, 0-9 and inner \"-\"", capabilities.Printable(name, 80))
	}
	files, err := readTemplate(path.Join("template", language), name, short)
	if err != nil {
		return fmt.Errorf("making a servlet: %w", err)
	}
	existed, err := emptyFolder(dir)
	if err != nil {
		return fmt.Errorf("making a servlet: %w", err)
	}
	defer func() {
		if err != nil {
			removeNew(dir, existed)
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a servlet: %w", err)
	}
	sdk := sdkIn(sdkFolder)
	switch language {
	case "rust":
		sdk, err = rustSDKIn(sdkFolder)
	case "typescript":
		sdk, err = typesIn(typesFolder)
	}
	if err != nil {
		return fmt.Errorf("making a servlet: %w", err)
	}
	if err := writeFiles(dir, append(files, sdk...)); err != nil {
		return fmt.Errorf("making a servlet: %w", err)
	}
	return nil
}

// emptyFolder tells whether dir exists, and refuses it when there is something in it.
func emptyFolder(dir string) (existed bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(entries) > 0:
		return true, fmt.Errorf("%s is not empty: choose another folder", dir)
	}
	return true, nil
}

// removeNew removes what New wrote into a folder that was empty before.
func removeNew(dir string, existed bool) {
	if !existed {
		_ = os.RemoveAll(dir)
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		_ = os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}

// readTemplate reads a template's files with the name filled in. Their names end in ".tmpl", so that
// neither the compiler nor git takes them for its own; a leading "dot-" stands for ".".
func readTemplate(root, name, short string) ([]sourceFile, error) {
	var files []sourceFile
	fill := strings.NewReplacer(placeholder, name, shortName, short)
	err := fs.WalkDir(templates, root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates, file)
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(strings.TrimPrefix(file, root+"/"), ".tmpl")
		if hidden, ok := strings.CutPrefix(base, "dot-"); ok {
			base = "." + hidden
		}
		files = append(files, sourceFile{base, []byte(fill.Replace(string(text)))})
		return nil
	})
	return files, err
}
