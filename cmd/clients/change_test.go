package clients_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/cmd/clients"
)

var (
	stdio = clients.Entry{Name: "writ", Command: "/opt/writ/bin/writ", Args: []string{"run"}}
	work  = clients.Entry{Name: "writ", Command: "/opt/writ/bin/writ", Args: []string{"run", "--space", "work", "--home", "/srv/my writ"}}
	http  = clients.Entry{Name: "writ", URL: "http://127.0.0.1:8787/mcp"}
	keyed = clients.Entry{Name: "writ", URL: "https://writ.example.test/s/team/mcp", KeyEnv: "WRIT_KEY"}
)

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func connect(t *testing.T, c clients.Client, file string, e clients.Entry) clients.Action {
	t.Helper()
	ch, err := c.Connect(file, "", e)
	if err == nil {
		_, err = ch.Apply()
	}
	if err != nil {
		t.Fatal(err)
	}
	return ch.Action
}

func disconnect(t *testing.T, c clients.Client, file string) clients.Action {
	t.Helper()
	ch, err := c.Disconnect(file, "", stdio)
	if err == nil {
		_, err = ch.Apply()
	}
	if err != nil {
		t.Fatal(err)
	}
	return ch.Action
}

// What each client's file says, in a new file, and that nothing is left of it.
func TestEntries(t *testing.T) {
	var out strings.Builder
	for _, c := range clients.All() {
		for _, e := range []clients.Entry{stdio, work, http, keyed} {
			dir := t.TempDir()
			file := filepath.Join(dir, "config")
			ch, err := c.Connect(file, "", e)
			if err == nil {
				_, err = ch.Apply()
			}
			if err != nil {
				fmt.Fprintf(&out, "%s: %v\n\n", c.Name, err)
				continue
			}
			fmt.Fprintf(&out, "%s:\n%s\n", c.Name, read(t, file))
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", c.Name, info.Mode(), err)
			}
			servers, err := c.Servers(file, "")
			if err != nil || len(servers) != 1 || len(servers[0].Findings()) != 0 {
				t.Fatalf("%s: %v, %+v", c.Name, err, servers)
			}
			own, ok := servers[0].Own("")
			if want := (clients.Own{Binary: e.Command, URL: e.URL, Home: own.Home, Space: own.Space}); !ok || own != want || e.URL == keyed.URL && own.Space != "team" || len(e.Args) > 1 && (own.Space != "work" || own.Home != "/srv/my writ") {
				t.Errorf("%s: %+v, %v", c.Name, own, ok)
			}
			if disconnect(t, c, file); read(t, file) != "(none)" {
				t.Errorf("%s: a file is left: %s", c.Name, read(t, file))
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("%s: left behind: %v", c.Name, left)
			}
		}
	}
	golden(t, "testdata/entries.golden", out.String())
}

// settings are files as people have them, by client.
var settings = map[string]string{
	"claude-code":    "{\n  \"numStartups\": 12,\n  \"projects\": {\n    \"/home/ana/x\": {\"mcpServers\": {\"a\": {\"command\": \"x\"}}, \"history\": [\"{ [ // \\\"\"]}\n  },\n  \"mcpServers\": {}\n}",
	"claude-desktop": "{\"globalShortcut\":\"\",\"mcpServers\":{\"files\":{\"command\":\"npx\",\"args\":[\"-y\",\"x\"]}}}\n",
	"codex":          "# mine\nmodel = \"o\"   # which\n\n[mcp_servers.docs]\ncommand = 'docs'\n[mcp_servers.docs.env]\nA = \"1\"\n\n[tui]\nnotifications = [ \"a\",\n  \"b\" ] # both\n",
	"cursor":         "{\r\n\t\"mcpServers\": {\r\n\t\t\"other\": { \"url\": \"https://x.test/mcp\" }\r\n\t}\r\n}\r\n",
	"gemini":         "{\n  // colours\n  \"ui\": {\"theme\": \"dark\"}, /* end */\n}\n",
	"goose":          "# goose\nextensions:\n  developer: # built in\n    bundled: true\n    enabled: true\n    name: developer\n    timeout: 300\n    type: builtin\n  # mine\n  docs:\n    args:\n    - -y\n    - docs\n    cmd: npx\n    enabled: true\n    type: stdio\nGOOSE_MODEL: o\n",
	"opencode":       "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n}\n",
	"vscode":         "{\n\t\"inputs\": [],\n\t\"servers\": {\n\t\t// mine\n\t\t\"x\": {\"type\": \"stdio\", \"command\": \"x\"},\n\t},\n}",
	"windsurf":       "{}\n",
	"zed":            "// Zed settings\n//\n{\n  \"theme\": \"One\",\n  // servers\n  \"context_servers\": {\n    \"a\": { \"settings\": {} }\n  }\n  // end\n}\n",
}

// A file keeps its bytes through every change and back; the copy of it is one, is its own bytes while
// there is something to go back to, and goes with the last trace of Writ.
func TestFilesComeBack(t *testing.T) {
	for _, c := range clients.All() {
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			file := write(t, filepath.Join(dir, "config"), settings[c.Name])
			if err := os.Chmod(file, 0o640); err != nil {
				t.Fatal(err)
			}
			backup := file + clients.BackupSuffix
			for i, e := range []clients.Entry{stdio, stdio, work, http, stdio} {
				if e.URL != "" && c.Name == "claude-desktop" {
					continue
				}
				got := connect(t, c, file, e)
				if want := []clients.Action{clients.Added, clients.Unchanged, clients.Updated, clients.Updated, clients.Updated}[i]; got != want {
					t.Errorf("step %d: %s, want %s", i, got, want)
				}
				if read(t, backup) != settings[c.Name] {
					t.Errorf("step %d: the copy is\n%s", i, read(t, backup))
				}
				for _, f := range []string{file, backup} {
					if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o640 {
						t.Errorf("step %d: %s: mode %v, %v", i, f, info.Mode(), err)
					}
				}
			}
			if got := disconnect(t, c, file); got != clients.Removed {
				t.Error(got)
			}
			if read(t, file) != settings[c.Name] {
				t.Errorf("not what it was:\n%q\n%q", read(t, file), settings[c.Name])
			}
			if left, _ := os.ReadDir(dir); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
			if got := disconnect(t, c, file); got != clients.Unchanged {
				t.Errorf("again: %s", got)
			}
		})
	}
}

func TestTheCopyFollowsAFileThatOthersChange(t *testing.T) {
	c, file := find(t, "cursor"), filepath.Join(t.TempDir(), "mcp.json")
	write(t, file, "{\n  \"mcpServers\": {}\n}\n")
	connect(t, c, file, stdio)
	mine := strings.Replace(read(t, file), "\n}\n", ",\n  \"mine\": 1\n}\n", 1)
	write(t, file, mine)
	connect(t, c, file, work)
	if read(t, file+clients.BackupSuffix) != mine {
		t.Errorf("the copy is not what was there before:\n%s", read(t, file+clients.BackupSuffix))
	}
	disconnect(t, c, file)
	if got := read(t, file); got != "{\n  \"mcpServers\": {},\n  \"mine\": 1\n}\n" {
		t.Errorf("%s", got)
	}
	if got := read(t, file+clients.BackupSuffix); !strings.Contains(got, "work") {
		t.Errorf("the copy is not what was there before:\n%s", got)
	}
}

func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	real := write(t, filepath.Join(dir, "dotfiles", "mcp.json"), "{}\n")
	link := filepath.Join(dir, ".cursor", "mcp.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(link), 0o755), os.Symlink(filepath.Join("..", "dotfiles", "mcp.json"), link)); err != nil {
		t.Fatal(err)
	}
	c := find(t, "cursor")
	connect(t, c, link, stdio)
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", info, err)
	}
	if !strings.Contains(read(t, real), "/opt/writ") || read(t, link+clients.BackupSuffix) != "{}\n" {
		t.Errorf("%s\n%s", read(t, real), read(t, link+clients.BackupSuffix))
	}
	disconnect(t, c, link)
	if read(t, real) != "{}\n" {
		t.Error(read(t, real))
	}
}

// A file that another program writes between reading and writing is left to it.
func TestChangesMeanwhileAreNoticed(t *testing.T) {
	for name, meanwhile := range map[string]func(file string) error{
		"changed": func(file string) error { return os.WriteFile(file, []byte("{\"a\": 1}\n"), 0o600) },
		"gone":    os.Remove,
		"replaced by a link": func(file string) error {
			return errors.Join(os.Rename(file, file+".real"), os.Symlink(file+".real", file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, file := find(t, "cursor"), write(t, filepath.Join(t.TempDir(), "mcp.json"), "{}\n")
			ch, err := c.Connect(file, "", stdio)
			if err == nil {
				err = meanwhile(file)
			}
			if err != nil {
				t.Fatal(err)
			}
			before := read(t, file)
			if _, err := ch.Apply(); !errors.Is(err, clients.ErrChanged) {
				t.Errorf("%v", err)
			}
			if read(t, file) != before {
				t.Errorf("overwritten: %s", read(t, file))
			}
		})
	}
	c, file := find(t, "cursor"), filepath.Join(t.TempDir(), "mcp.json")
	ch, err := c.Connect(file, "", stdio)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, "{\"new\": 1}\n")
	if _, err := ch.Apply(); !errors.Is(err, clients.ErrChanged) || read(t, file) != "{\"new\": 1}\n" {
		t.Errorf("a file that came meanwhile: %v\n%s", err, read(t, file))
	}
}

func TestWhatIsNotEdited(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Symlink("nowhere", filepath.Join(dir, "dangling")), os.Mkdir(filepath.Join(dir, "folder"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, client, file, text string
		entry                    clients.Entry
		target                   error
		want                     string
	}{
		{"broken", "cursor", "a", "{\n  \"mcpServers\": {\n", stdio, clients.ErrBroken, "/a: line 3, column 1: it ends in the middle"},
		{"broken toml", "codex", "b", "model = \n", stdio, clients.ErrBroken, "/b: line 1, column"},
		{"broken yaml", "goose", "c", "a: b: c\n", stdio, clients.ErrBroken, "/c: line 1, column"},
		{"another's entry", "cursor", "d", "{\"mcpServers\": {\"writ\": {\"command\": \"node\"}}}", stdio, clients.ErrTaken, "name another with --name"},
		{"a link to nothing", "cursor", "dangling", "", stdio, clients.ErrPlace, "link to nothing"},
		{"a folder", "cursor", "folder", "", stdio, clients.ErrPlace, "no regular file"},
		{"a name with spaces", "cursor", "e", "", clients.Entry{Name: "a b", Command: "/x"}, clients.ErrEntry, "letters, digits"},
		{"a path that clients change", "cursor", "e", "", clients.Entry{Name: "writ", Command: "/home/$USER/writ"}, clients.ErrEntry, "clients replace"},
		{"a path that clients change on Windows", "gemini", "e", "", clients.Entry{Name: "writ", Command: `C:\%TEMP%\writ.exe`}, clients.ErrEntry, "clients replace"},
		{"a path that opencode changes", "opencode", "e", "", clients.Entry{Name: "writ", Command: "/{env:X}/writ"}, clients.ErrEntry, "clients replace"},
		{"a path that is no text", "cursor", "e", "", clients.Entry{Name: "writ", Command: "/x\xff"}, clients.ErrEntry, "no client takes"},
		{"an address for claude-desktop", "claude-desktop", "e", "", http, clients.ErrEntry, "takes no addresses"},
		{"a key for zed", "zed", "e", "", keyed, clients.ErrEntry, "cannot take a key"},
		{"an address without encryption", "cursor", "e", "", clients.Entry{Name: "writ", URL: "http://writ.example.test/mcp"}, clients.ErrEntry, "without https"},
		{"an address with a password", "cursor", "e", "", clients.Entry{Name: "writ", URL: "https://a:b@writ.example.test/mcp"}, clients.ErrEntry, "password"},
		{"no address", "cursor", "e", "", clients.Entry{Name: "writ", URL: "writ.example.test"}, clients.ErrEntry, "want an address"},
		{"a variable that is none", "cursor", "e", "", clients.Entry{Name: "writ", URL: keyed.URL, KeyEnv: "A}B"}, clients.ErrEntry, "not the name of a variable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(dir, c.file)
			if c.text != "" {
				write(t, file, c.text)
			}
			_, err := find(t, c.client).Connect(file, "", c.entry)
			if !errors.Is(err, c.target) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %q", err, c.want)
			}
			if c.text != "" && read(t, file) != c.text {
				t.Error("changed")
			}
			if _, err := os.Lstat(file + clients.BackupSuffix); err == nil {
				t.Error("a copy was made")
			}
		})
	}
	if _, err := find(t, "cursor").Disconnect(filepath.Join(dir, "d"), "", stdio); !errors.Is(err, clients.ErrTaken) {
		t.Errorf("taking another's entry out: %v", err)
	}
}

func TestAFileThatMayNotBeWrittenIsLeft(t *testing.T) {
	c, file := find(t, "cursor"), write(t, filepath.Join(t.TempDir(), "mcp.json"), "{}\n")
	if err := os.Chmod(file, 0o444); err != nil {
		t.Fatal(err)
	}
	ch, err := c.Connect(file, "", stdio)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Apply(); !errors.Is(err, clients.ErrPlace) || read(t, file) != "{}\n" {
		t.Errorf("%v\n%s", err, read(t, file))
	}
}

// A cloned folder must not choose which of the user's own files is edited.
func TestAProjectsLinksStayInIt(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	own := write(t, filepath.Join(home, "mcp.json"), "{}\n")
	c := find(t, "cursor")
	file, err := c.Project(project)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(home, filepath.Join(project, ".cursor")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(file, project, stdio); !errors.Is(err, clients.ErrPlace) || !strings.Contains(err.Error(), "leads out") {
		t.Errorf("a link to a folder: %v", err)
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Connect(file, project, stdio); !errors.Is(err, clients.ErrPlace) {
		t.Errorf("a file to be made in it: %v", err)
	}
	if err := os.Remove(filepath.Join(project, ".cursor")); err != nil {
		t.Fatal(err)
	}
	ch, err := c.Connect(file, project, stdio)
	if err == nil {
		_, err = ch.Apply()
	}
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(project, ".cursor", "mcp.json")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := find(t, "windsurf").Project(project); !errors.Is(err, clients.ErrPlace) {
		t.Errorf("a client without project files: %v", err)
	}
}

// The change is shown without anything else of the file: on the lines around it there may be keys.
func TestDiffShowsTheEntryAlone(t *testing.T) {
	secret := "sk-verysecretvalue"
	c, file := find(t, "cursor"), filepath.Join(t.TempDir(), "mcp.json")
	for _, text := range []string{
		`{"mcpServers":{"a":{"env":{"K":"` + secret + `"}}},"b":"` + secret + `"}`,
		"{\n  \"k\": \"" + secret + "\", // " + secret + "\n  \"mcpServers\": {\n    \"a\": {\"k\": \"" + secret + "\"}\n  }\n}\n",
	} {
		write(t, file, text)
		ch, err := c.Connect(file, "", stdio)
		if err != nil {
			t.Fatal(err)
		}
		diff := strings.Join(ch.Diff(), "\n")
		if strings.Contains(diff, secret) || !strings.Contains(diff, "+ ") || !strings.Contains(diff, "/opt/writ/bin/writ") || strings.Contains(diff, "\n- ") {
			t.Errorf("%s", diff)
		}
		if _, err := ch.Apply(); err != nil {
			t.Fatal(err)
		}
		if ch, err = c.Disconnect(file, "", stdio); err != nil {
			t.Fatal(err)
		}
		if diff := strings.Join(ch.Diff(), "\n"); strings.Contains(diff, secret) || !strings.Contains(diff, "- ") || strings.Contains(diff, "\n+ ") {
			t.Errorf("%s", diff)
		}
		if !bytes.Equal(ch.After, []byte(text)) {
			t.Errorf("%s", ch.After)
		}
	}
}

func TestWarnings(t *testing.T) {
	long := strings.Repeat("x", 60)
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("t%d", i))
	}
	for _, c := range []struct {
		client string
		tools  []string
		want   int
	}{
		{"cursor", []string{long[:55]}, 0},
		{"cursor", []string{long[:56]}, 1},
		{"cursor", many[:40], 0},
		{"cursor", many[:41], 1},
		{"windsurf", many[:100], 0},
		{"windsurf", many, 1},
		{"vscode", many, 0},
		{"claude-code", []string{long[:53]}, 0},
		{"claude-code", []string{long[:54]}, 1},
		{"gemini", []string{long[:54], long[:55]}, 1},
		{"claude-desktop", []string{long}, 0},
		{"zed", many, 0},
	} {
		if got := find(t, c.client).Warnings("writ", c.tools); len(got) != c.want {
			t.Errorf("%s, %d tools: %q, want %d", c.client, len(c.tools), got, c.want)
		}
	}
}
