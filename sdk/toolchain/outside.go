package toolchain

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/writ-run/writ/capabilities"
)

// scriptNames are how files end that are code to the bundler.
var scriptNames = []string{".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"}

// isOutside tells whether a file, by its path without links, is neither of the source folder nor of a package.
func (f scriptFolder) isOutside(file string) bool {
	short, err := filepath.Rel(f.dir, file)
	return err != nil || !filepath.IsLocal(short) && !strings.Contains(filepath.ToSlash(file), "/node_modules/")
}

// refuseOutside refuses data from outside of the source folder. A source from elsewhere that imports
// "../../.config/key.json" would put what is there into a servlet that its builder publishes.
func (f scriptFolder) refuseOutside() api.Plugin {
	return api.Plugin{Name: "outside", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: "file"}, func(args api.OnLoadArgs) (result api.OnLoadResult, err error) {
			isScript := len(args.With) == 0 && slices.Contains(scriptNames, strings.ToLower(path.Ext(filepath.ToSlash(args.Path))))
			if !isScript && f.isOutside(args.Path) {
				result.Errors = []api.Message{{Text: fmt.Sprintf("%s is outside of the source folder: copy it into the folder", args.Path)}}
			}
			return result, nil
		})
	}}
}

// outsideNotes tell of scripts that are not in the source folder.
func (f scriptFolder) outsideNotes(sources []string) (notes []string) {
	for _, file := range sources {
		if f.isOutside(file) {
			notes = append(notes, fmt.Sprintf("%s comes from outside of this folder (%s), so the bytes of the servlet depend on where the two are",
				capabilities.Printable(filepath.Base(file), 80), capabilities.Printable(filepath.Dir(file), 200)))
		}
	}
	return notes
}
