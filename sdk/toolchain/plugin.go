package toolchain

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// pluginFile is a plug-in that was made elsewhere with an Extism PDK. A folder with it and a servlet.toml
// is built by reading it: the module goes into the servlet as it is.
const pluginFile = "plugin.wasm"

// maxPlugin is the largest such file, in bytes.
const maxPlugin = 64 << 20

// readPlugin is the compiler of a folder with a plug-in.
func readPlugin(dir string) (compiled, error) {
	path := filepath.Join(dir, pluginFile)
	module, err := readSource(path, maxPlugin)
	if err != nil {
		return compiled{}, fmt.Errorf("%w: reading the plug-in: %w", ErrSource, err)
	}
	if _, err := capabilities.Read(module); err == nil {
		return compiled{}, &compilerError{path + " is a servlet already: install it, or ask its publisher for the plug-in"}
	}
	return compiled{module: module, abi: capabilities.ABIExtism}, nil
}

// apartFromPlugin refuses to write a servlet over the plug-in that it is made of, which may be the only one.
func apartFromPlugin(output, dir string) error {
	plugin, err := os.Stat(filepath.Join(dir, pluginFile))
	if err != nil {
		return nil // there is none
	}
	if info, err := os.Stat(output); err == nil && os.SameFile(info, plugin) {
		return &outputError{output, "is the plug-in that the servlet is made of: choose another name", fs.ErrExist}
	}
	return nil
}

// checkTools refuses tools that are declared for anything but a plug-in: what a plug-in says of its tools
// cannot be changed by whoever has it, and may be nothing, but source says it itself.
func (d *declaration) checkTools(dir string) error {
	if len(d.Tools) == 0 || isFile(filepath.Join(dir, pluginFile)) {
		return nil
	}
	return d.refuse(d.line([]string{"tools"}), "tools are what the source says: only those of a "+pluginFile+" are declared here")
}

// description is what a plug-in would say of the tools that are declared.
func (d *declaration) description() ([]byte, error) {
	return strictjson.Encode(map[string]any{"tools": d.Tools})
}

// errUndescribed is a plug-in that does not say which tools it has.
var errUndescribed = fmt.Errorf("%w: the plug-in does not tell its tools: it exports no describe beside call, and no list_tools beside call_tool: declare them in servlet.toml as [[tools]]", ErrDeclaration)
