package clients_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/cmd/clients"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v; got\n%s", file, err, got)
	}
}

// machines are a plain one of each system, and one where the environment says otherwise.
var machines = []struct {
	name string
	os   string
	home string
	env  map[string]string
}{
	{"macOS", "darwin", "/Users/ana", nil},
	{"Linux", "linux", "/home/ana", nil},
	{"Windows", "windows", `C:\Users\ana`, map[string]string{"APPDATA": `C:\Users\ana\AppData\Roaming`, "LOCALAPPDATA": `C:\Users\ana\AppData\Local`}},
	{"Windows, folders elsewhere", "windows", `C:\Users\ana`, map[string]string{"APPDATA": `D:\Roaming\`, "LOCALAPPDATA": `D:\Local`, "XDG_CONFIG_HOME": `D:\xdg`, "CODEX_HOME": `\\server\codex`}},
	{"Windows, an empty environment", "windows", `C:\Users\ana`, nil},
	{"macOS, XDG", "darwin", "/Users/ana", map[string]string{"XDG_CONFIG_HOME": "/Users/ana/xdg"}},
	{"Linux, XDG", "linux", "/home/ana", map[string]string{"XDG_CONFIG_HOME": "/home/ana/xdg/"}},
	{"Linux, XDG that is no absolute path", "linux", "/home/ana", map[string]string{"XDG_CONFIG_HOME": "xdg", "CODEX_HOME": "codex", "CLAUDE_CONFIG_DIR": "~/claude"}},
	{"Linux, folders of each client", "linux", "/home/ana", map[string]string{
		"CLAUDE_CONFIG_DIR": "/c/claude", "CODEX_HOME": "/c/codex", "GEMINI_CLI_HOME": "/c/gemini", "GOOSE_PATH_ROOT": "/c/goose",
		"VSCODE_APPDATA": "/c/vscode", "FLATPAK_XDG_CONFIG_HOME": "/c/flatpak",
	}},
	{"Linux, a portable Visual Studio Code", "linux", "/home/ana", map[string]string{"VSCODE_PORTABLE": "/media/code/data"}},
}

func TestPlaces(t *testing.T) {
	var out strings.Builder
	for _, m := range machines {
		fmt.Fprintf(&out, "%s\n", m.name)
		for _, c := range clients.All() {
			files, signs := clients.Candidates(c, clients.Machine{OS: m.os, Home: m.home, Getenv: func(name string) string { return m.env[name] }})
			fmt.Fprintf(&out, "  %-15s %s\n", c.Name, strings.Join(files, "\n                  "))
			for _, s := range signs {
				fmt.Fprintf(&out, "                  sign: %s\n", s)
			}
		}
	}
	golden(t, "testdata/places.golden", out.String())
}

// here is a machine of this system with an empty home.
func here(t *testing.T, goos string, env map[string]string) clients.Machine {
	t.Helper()
	return clients.Machine{OS: goos, Home: t.TempDir(), Getenv: func(name string) string { return env[name] }}
}

func find(t *testing.T, name string) clients.Client {
	t.Helper()
	c, err := clients.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLocate(t *testing.T) {
	m := here(t, "linux", nil)
	locate := func(name string) string {
		at := find(t, name).Locate(m)
		rel, err := filepath.Rel(m.Home, at.File)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(rel, " ", at.Found)
	}
	check := func(name, want string) {
		t.Helper()
		if got := locate(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	check("cursor", ".cursor/mcp.json false")
	check("claude-code", ".claude.json false")
	check("vscode", ".config/Code/User/mcp.json false")
	check("opencode", ".config/opencode/opencode.json false")
	for _, dir := range []string{".cursor", ".claude", ".config/Code", ".config/opencode"} {
		if err := os.MkdirAll(filepath.Join(m.Home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check("cursor", ".cursor/mcp.json true")
	check("claude-code", ".claude.json true")
	check("vscode", ".config/Code/User/mcp.json true")
	check("opencode", ".config/opencode/opencode.json true")
	write(t, filepath.Join(m.Home, ".config/opencode/opencode.jsonc"), "{}")
	check("opencode", ".config/opencode/opencode.jsonc true")
	write(t, filepath.Join(m.Home, ".config/opencode/opencode.json"), "{}")
	check("opencode", ".config/opencode/opencode.jsonc true")
}

// Claude Desktop's package keeps its file elsewhere than the program itself says, and reads the old
// one no more.
func TestLocateThePackageOfClaudeDesktop(t *testing.T) {
	local, roaming := t.TempDir(), t.TempDir()
	// The rules of Windows for names, on the paths of this system: join is what differs.
	at := func() string {
		files, _ := clients.Candidates(find(t, "claude-desktop"), clients.Machine{OS: "windows", Home: `C:\Users\ana`, Getenv: func(string) string { return "" }})
		var paths []string
		for _, f := range files {
			f = strings.ReplaceAll(f, `\`, "/")
			f = strings.Replace(f, "C:/Users/ana/AppData/Local", local, 1)
			paths = append(paths, strings.Replace(f, "C:/Users/ana/AppData/Roaming", roaming, 1))
		}
		return clients.LocateIn(paths).File
	}
	old := filepath.Join(roaming, "Claude", "claude_desktop_config.json")
	if got := at(); got != old {
		t.Errorf("nothing installed: %s", got)
	}
	write(t, old, "{}")
	dir := filepath.Join(local, "Packages", "Claude_abc", "LocalCache", "Roaming", "Claude")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := at(); got != filepath.Join(dir, "claude_desktop_config.json") {
		t.Errorf("the package: %s", got)
	}
}

func TestUnknownClient(t *testing.T) {
	_, err := clients.Find("emacs")
	if err == nil || !strings.Contains(err.Error(), `there is no client "emacs": want one of claude-code, claude-desktop, codex, cursor, gemini, goose, opencode, vscode, windsurf, zed`) {
		t.Error(err)
	}
}
