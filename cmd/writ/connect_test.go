package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/cmd/clients"
	"github.com/writ-run/writ/testdata/client"
)

// What the file of a client says reaches the tools, from another folder and with nothing in the
// environment: a desktop program starts it so.
func TestAConnectedClientReachesTheTools(t *testing.T) {
	home, _ := home(t)
	user := t.TempDir()
	for _, name := range []string{"cursor", "goose", "opencode"} {
		c, err := clients.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(built.writ, "--home", home, "connect", name)
		cmd.Env = []string{"HOME=" + user}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		m := clients.Machine{OS: runtime.GOOS, Home: user, Getenv: func(string) string { return "" }}
		servers, err := c.Servers(c.Locate(m).File, "")
		if err != nil || len(servers) != 1 {
			t.Fatalf("%s: %v, %d servers", name, err, len(servers))
		}
		command := servers[0].Command()
		start := exec.Command(command[0], command[1:]...)
		start.Env, start.Dir = []string{"HOME=" + user}, t.TempDir()
		session, err := client.Config{}.Stdio(t.Context(), start)
		if err != nil {
			t.Fatalf("%s: %q: %v", name, command, err)
		}
		answer, err := session.Call(t.Context(), "filesystem_read_text_file", map[string]any{"path": "/docs/today.txt"})
		if err != nil || !strings.Contains(answer.Text, "water the plants") {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
		session.Close()
	}
}

// A link by which the program was called goes into the entry, not what is behind it: that moves with
// each version that a package manager installs.
func TestTheEntryKeepsTheLinkThatWasCalled(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "bin", "writ")
	if err := os.Mkdir(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(built.writ, link); err != nil {
		t.Fatal(err)
	}
	for _, called := range []*exec.Cmd{exec.Command(link, "connect", "cursor", "--dry-run"), {Path: link, Args: []string{"writ", "connect", "cursor", "--dry-run"}}} {
		called.Env = []string{"HOME=" + dir, "PATH=" + filepath.Dir(link)}
		out, err := called.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(`"command": "`+link+`"`)) {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func TestDoctorFindsWhatHasExpired(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	install(t, home, built.weather, "--allow", "api", "--tools", "units")
	for name, now := range map[string]time.Time{healthy: time.Now(), wrong: time.Now().AddDate(2, 0, 0)} {
		d := &doctor{app: &app{getenv: func(string) string { return "" }, homeFlag: home, space: "default", stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}, now: now}
		if err := d.servlets(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(d.found, func(f diagnosis) bool { return f.State == name }) || len(d.found) != 1 {
			t.Errorf("%s: %+v", name, d.found)
		}
	}
}
