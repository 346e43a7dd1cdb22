package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A person at a terminal is asked, and only the whole word, typed after the list was shown, is a yes.
func TestUninstallAsksAtATerminal(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "CODEX_HOME", "CLAUDE_CONFIG_DIR"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	shell(t, dir, "writ secret key use file")
	for _, answer := range []string{"y", "", "uninstal"} {
		p := openTerminal(t, "uninstall\nuninstall\n", home, "uninstall")
		p.expect("REMOVES")
		p.expect("Type uninstall to remove it")
		p.send(answer)
		p.expect("nothing was removed")
		p.exits(exitDenied)
		if _, err := os.Lstat(filepath.Join(home, "writ.db")); err != nil {
			t.Fatalf("after the answer %q: %v", answer, err)
		}
	}
	p := openTerminal(t, "", home, "uninstall")
	p.expect("Type uninstall to remove it")
	p.send("uninstall")
	p.expect("removed 1 thing")
	p.exits(exitOK)
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the home is still there")
	}
}
