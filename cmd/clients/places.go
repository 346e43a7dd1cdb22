package clients

import (
	"os"
	"path/filepath"
	"strings"
)

// Machine is where clients are looked for.
type Machine struct {
	OS     string              // as runtime.GOOS
	Home   string              // the user's folder, absolute
	Getenv func(string) string // the user's environment
}

// candidates are the files that a client may read, best first, with * for what differs from machine
// to machine. The first folder that is there decides: in it the first file that is there, else the
// last one named. signs are files and folders that show that the client is there; none: the folders.
type candidates struct {
	files []string
	signs []string
}

// join joins the parts of a path by the rules of the machine, not of the system that this runs on.
func (m Machine) join(parts ...string) string {
	if m.OS == "windows" {
		return strings.Join(parts, `\`)
	}
	return strings.Join(parts, "/")
}

// abs is an absolute path in the environment, or "".
func (m Machine) abs(name string) string {
	v := m.Getenv(name)
	drive := len(v) > 2 && v[1] == ':' && (v[2] == '\\' || v[2] == '/')
	if m.OS == "windows" && (drive || strings.HasPrefix(v, `\\`)) || m.OS != "windows" && strings.HasPrefix(v, "/") {
		return strings.TrimRight(v, `/\`)
	}
	return ""
}

func first(of ...string) string {
	for _, s := range of {
		if s != "" {
			return s
		}
	}
	return ""
}

// roaming is the folder of Windows for settings.
func (m Machine) roaming() string {
	return first(m.abs("APPDATA"), m.join(m.Home, "AppData", "Roaming"))
}

// xdg is the folder for settings by the XDG rules, which some clients follow on every system.
func (m Machine) xdg() string {
	return first(m.abs("XDG_CONFIG_HOME"), m.join(m.Home, ".config"))
}

// settings is the system's folder for settings of desktop programs, as Electron has it.
func (m Machine) settings() string {
	switch m.OS {
	case "windows":
		return m.roaming()
	case "darwin":
		return m.join(m.Home, "Library", "Application Support")
	}
	return m.xdg()
}

// Since early 2026 the installer for Windows makes a package, whose files are elsewhere than the
// program itself believes; a file left behind at the old place is read no more.
func claudeDesktop(m Machine) candidates {
	const file = "claude_desktop_config.json"
	if m.OS != "windows" {
		return candidates{files: []string{m.join(m.settings(), "Claude", file)}}
	}
	local := first(m.abs("LOCALAPPDATA"), m.join(m.Home, "AppData", "Local"))
	return candidates{files: []string{
		m.join(local, "Claude-Data", "claude_*", file),
		m.join(local, "Packages", "Claude_*", "LocalCache", "Roaming", "Claude", file),
		m.join(m.roaming(), "Claude", file),
	}}
}

func claudeCode(m Machine) candidates {
	if dir := m.abs("CLAUDE_CONFIG_DIR"); dir != "" {
		return candidates{files: []string{m.join(dir, ".claude.json")}}
	}
	file := m.join(m.Home, ".claude.json")
	return candidates{files: []string{file}, signs: []string{file, m.join(m.Home, ".claude")}}
}

func cursor(m Machine) candidates {
	return candidates{files: []string{m.join(m.Home, ".cursor", "mcp.json")}}
}

func vscode(m Machine) candidates {
	data := m.join(first(m.abs("VSCODE_APPDATA"), m.settings()), "Code")
	if portable := m.abs("VSCODE_PORTABLE"); portable != "" {
		data = m.join(portable, "user-data")
	}
	return candidates{files: []string{m.join(data, "User", "mcp.json")}, signs: []string{data}}
}

func windsurf(m Machine) candidates {
	return candidates{files: []string{m.join(m.Home, ".codeium", "windsurf", "mcp_config.json")}}
}

func gemini(m Machine) candidates {
	return candidates{files: []string{m.join(first(m.abs("GEMINI_CLI_HOME"), m.Home), ".gemini", "settings.json")}}
}

func codex(m Machine) candidates {
	return candidates{files: []string{m.join(first(m.abs("CODEX_HOME"), m.join(m.Home, ".codex")), "config.toml")}}
}

func zed(m Machine) candidates {
	dir := m.join(m.Home, ".config", "zed")
	switch m.OS {
	case "windows":
		dir = m.join(m.roaming(), "Zed")
	case "linux":
		dir = m.join(first(m.abs("FLATPAK_XDG_CONFIG_HOME"), m.xdg()), "zed")
	}
	return candidates{files: []string{m.join(dir, "settings.json")}}
}

func goose(m Machine) candidates {
	dir := m.join(m.xdg(), "goose")
	if m.OS == "windows" {
		dir = m.join(m.roaming(), "Block", "goose", "config")
	}
	if root := m.abs("GOOSE_PATH_ROOT"); root != "" {
		dir = m.join(root, "config")
	}
	return candidates{files: []string{m.join(dir, "config.yaml")}}
}

func opencode(m Machine) candidates {
	dir := m.join(m.xdg(), "opencode")
	return candidates{files: []string{m.join(dir, "opencode.jsonc"), m.join(dir, "opencode.json")}}
}

// Place is where a client keeps its servers.
type Place struct {
	File  string
	Found bool // the client is on this machine
}

// Locate finds the file of a client on this machine, which need not exist yet.
func (c Client) Locate(m Machine) Place { return c.places(m).locate() }

func (paths candidates) locate() Place {
	at := Place{File: paths.files[len(paths.files)-1]}
	for _, sign := range paths.signs {
		at.Found = at.Found || exists(sign)
	}
	for _, dir := range expand(paths.files, filepath.Dir) {
		if !exists(dir) {
			continue
		}
		at.Found = at.Found || len(paths.signs) == 0
		in := expand(paths.files, func(p string) string { return p })
		for _, file := range in {
			if filepath.Dir(file) == dir {
				if at.File = file; exists(file) {
					return at
				}
			}
		}
		return at
	}
	return at
}

// Files lists every file with servers that the client has on this machine.
func (c Client) Files(m Machine) []string {
	patterns := c.places(m).files
	if c.Name == "vscode" { // each of its profiles has a file of its own
		patterns = append(patterns, m.join(filepath.Dir(patterns[0]), "profiles", "*", "mcp.json"))
	}
	var out []string
	for _, file := range expand(patterns, func(p string) string { return p }) {
		if exists(file) {
			out = append(out, file)
		}
	}
	return out
}

// expand is what patterns stand for on this machine, each made into a path by of first. A * stands
// for folders that are there; the name after it need not be.
func expand(patterns []string, of func(string) string) []string {
	var out []string
	for _, p := range patterns {
		p = of(p)
		star := strings.IndexByte(p, '*')
		if star < 0 {
			out = append(out, p)
			continue
		}
		end := star
		for end < len(p) && !os.IsPathSeparator(p[end]) {
			end++
		}
		found, err := filepath.Glob(p[:end])
		if err != nil {
			continue // no pattern of ours is malformed; a home with brackets may be
		}
		for _, dir := range found {
			out = append(out, dir+p[end:])
		}
	}
	return out
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
