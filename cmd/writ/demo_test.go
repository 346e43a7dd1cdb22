package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/testdata/client"
)

// The demonstration's last part must be able to fail: here its servlets are given what it says they
// cannot reach, and it has to notice and to end with an error.
func TestTheDemonstrationNoticesAWayOut(t *testing.T) {
	home, folder := filepath.Join(t.TempDir(), "home"), t.TempDir()
	for name, text := range map[string]string{"welcome.txt": "hello", "way-out": "the linked file\n", "secret.txt": "the secret"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := warm(home); err != nil {
		t.Fatal(err)
	}
	install(t, home, built.filesystem, "--dir", "docs="+folder, "--tools", "*")
	install(t, home, built.probe, "--dir", "docs="+folder, "--tools", "*")
	c, err := client.Stdio(t.Context(), exec.Command(built.writ, "--home", home, "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var said strings.Builder
	d := &demo{app: &app{stdout: &said, stderr: io.Discard}}
	err = d.attack(context.Background(), c, prey{secret: "the secret", outside: "/docs/secret.txt", linked: "the linked file", folder: folder})
	if statusOf(err) != exitTool {
		t.Errorf("it ended with %v, want status %d", err, exitTool)
	}
	for _, way := range []string{"read a file outside", "follow a symbolic link", "write where only reading", "plain system calls"} {
		if !strings.Contains(said.String(), "IT WORKED   "+way) && !strings.Contains(said.String(), "IT WORKED   the same with "+way) {
			t.Errorf("%q went unnoticed in:\n%s", way, said.String())
		}
	}
}

func TestAProbeThatDidNotWorkProvesNothing(t *testing.T) {
	p := prey{secret: "the secret"}
	good := `{"control":true,"environment":[],"arguments":[],"read":[],"written":[],"listed":[],"memory":""}`
	if shown := nothing(p, client.Result{Structured: []byte(good), Raw: []byte(good)}); shown != "" {
		t.Errorf("a good answer: %s", shown)
	}
	for _, change := range [][2]string{
		{`"control":true`, `"control":false`}, {`"control":true,`, ``}, {`"memory":""`, `"memory":"x"`}, {`,"memory":""`, ``},
		{`"environment":[]`, `"environment":["A=b"]`}, {`"read":[],`, ``}, {`"listed":[]`, `"listed":["/"]`}, {good, `{}`}, {good, ``},
	} {
		answer := strings.Replace(good, change[0], change[1], 1)
		if shown := nothing(p, client.Result{Structured: []byte(answer), Raw: []byte(answer)}); shown == "" {
			t.Errorf("%s passes as a refusal", answer)
		}
	}
}
