package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/testdata/client"
)

// archiveVariable names the archive of a release that the newcomer takes; without it, the test packs the
// binary that the other tests use.
const archiveVariable = "WRIT_ARCHIVE"

// TestANewcomerFollowsTheReadme runs the README's commands as they are written there, on a machine with an
// archive, a shell, tar and install: no Go, no Node, no git, no network. Then it does what Cursor does: it
// reads its file, starts what the entry says and calls a tool.
func TestANewcomerFollowsTheReadme(t *testing.T) {
	const user = "/home/ana"
	machine := newMachine(t, user, "sh", "true", "tar", "gzip", "install")
	machine.write("bin/sudo", "#!/bin/sh\nexec \"$@\"\n", 0o755)
	machine.write(user+"/notes/today.txt", "water the plants\n", 0o644)
	const mine = "// mine: do not touch\n{\n  \"mcpServers\": {} // none yet\n}\n"
	machine.write(user+"/.cursor/mcp.json", mine, 0o600)
	archive := os.Getenv(archiveVariable)
	if archive == "" {
		archive = packed(t)
	}
	machine.copy(archive, filepath.Join(user, filepath.Base(archive)))
	lines := readmeCommands(t, "## Install", versionOf(t, archive))

	start := time.Now()
	for _, line := range lines {
		p := onTerminal(t, "", machine.command("sh", "-c", line))
		if strings.HasPrefix(line, "writ install ") {
			p.expect(prompt)
			p.send("filesystem")
			p.expect("installed filesystem")
			p.expect("connected cursor")
			p.expect("restart Cursor")
		}
		p.exits(0)
		<-p.gone
		t.Logf("$ %s\n%s", line, strings.ReplaceAll(p.seen.String(), "\r", ""))
	}
	entry := cursorEntry(t, filepath.Join(machine.root, user, ".cursor", "mcp.json"))
	if entry.Command != "/usr/local/bin/writ" {
		t.Errorf("the entry starts %q, which is not where the README puts it", entry.Command)
	}
	cmd := machine.command(entry.Command, entry.Args...)
	cmd.Stderr = os.Stderr
	started := time.Now()
	c, err := client.Config{Era: client.Sessions}.Stdio(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := c.Call(t.Context(), "filesystem_read_text_file", map[string]string{"path": "/docs/today.txt"})
	if err != nil || answer.IsError || !strings.Contains(answer.Text, "water the plants") {
		t.Fatalf("the first answer: %+v, %v", answer, err)
	}
	t.Logf("%d commands, %.1f s from the archive to the first answer; %.2f s of them from the client's start of writ",
		len(lines), time.Since(start).Seconds(), time.Since(started).Seconds())
	text, err := os.ReadFile(filepath.Join(machine.root, user, ".cursor", "mcp.json"))
	if err != nil || !strings.Contains(string(text), "// mine: do not touch") || !strings.Contains(string(text), "// none yet") {
		t.Errorf("the comments are gone: %v\n%s", err, text)
	}
}

// readmeCommands are the lines of the first block of code of the README's section, as a person types them
// on this platform.
func readmeCommands(t *testing.T, section, version string) (lines []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "\n"+section+"\n")
	if !found {
		t.Fatalf("the README has no %q", section)
	}
	for line := range strings.Lines(rest) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			command, _, _ = strings.Cut(command, " # ")
			lines = append(lines, strings.NewReplacer("VERSION", version, "linux-amd64", "linux-"+runtime.GOARCH).Replace(strings.TrimSpace(command)))
		} else if len(lines) > 0 {
			break
		}
	}
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "tar ") || !strings.Contains(lines[2], "--connect cursor") {
		t.Fatalf("the README's commands are not those that a newcomer needs: %q", lines)
	}
	return lines
}

// versionOf is the part of an archive's name that the README calls VERSION.
func versionOf(t *testing.T, archive string) string {
	t.Helper()
	found := regexp.MustCompile(`^writ-(.+)-linux-` + runtime.GOARCH + `\.tar\.gz$`).FindStringSubmatch(filepath.Base(archive))
	if found == nil {
		t.Fatalf("%s is not an archive for this machine", archive)
	}
	return found[1]
}

// packed is an archive with a writ that has the filesystem servlet inside, as a release is one.
func packed(t *testing.T) string {
	t.Helper()
	dir, err := carrying()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(filepath.Join(dir, "writ"))
	if err != nil {
		t.Fatal(err)
	}
	name := "writ-0.0.0-test-linux-" + runtime.GOARCH
	path := filepath.Join(t.TempDir(), name+".tar.gz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name + "/writ", Mode: 0o755, Size: int64(len(binary))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(binary); err != nil {
		t.Fatal(err)
	}
	for _, done := range []func() error{w.Close, z.Close, file.Close} {
		if err := done(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// serverEntry is what a client starts.
type serverEntry struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
}

// cursorEntry reads Writ's entry in a file of Cursor, as Cursor does: JSON with comments.
func cursorEntry(t *testing.T, path string) serverEntry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`(?m)(^|\s)//.*$`).ReplaceAll(text, nil)
	var file struct {
		Servers map[string]serverEntry `json:"mcpServers"`
	}
	if err := json.Unmarshal(bare, &file); err != nil || file.Servers["writ"].Command == "" {
		t.Fatalf("Cursor finds no entry of Writ: %v\n%s", err, text)
	}
	return file.Servers["writ"]
}
