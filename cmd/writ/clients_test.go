package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/writ-run/writ/testdata/client"
)

// home is a home with the filesystem servlet installed for a folder of one note.
func home(t *testing.T) (home, notes string) {
	t.Helper()
	home, notes = filepath.Join(t.TempDir(), "home"), t.TempDir()
	if err := warm(home); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(notes, "today.txt"), []byte("water the plants\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	install(t, home, built.filesystem, "--dir", "docs="+notes, "--tools", "*")
	return home, notes
}

// install approves what its flags name.
func install(t *testing.T, home, file string, flags ...string) {
	t.Helper()
	args := append([]string{"--home", home, "install", file, "--json"}, flags...)
	out, err := exec.Command(built.writ, append(args, "--plan")...).Output()
	if err != nil {
		t.Fatalf("planning: %v %s", err, stderrOf(err))
	}
	var plan struct{ Digest string }
	if err := json.Unmarshal(out, &plan); err != nil || plan.Digest == "" {
		t.Fatalf("planning: %v\n%s", err, out)
	}
	if out, err := exec.Command(built.writ, append(args, "--approve", plan.Digest)...).CombinedOutput(); err != nil {
		t.Fatalf("installing: %v\n%s", err, out)
	}
}

func stderrOf(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return string(exit.Stderr)
	}
	return ""
}

// serve starts `writ serve` on a free port and returns its endpoint.
func serve(t *testing.T, home string) string {
	t.Helper()
	cmd := exec.Command(built.writ, "--home", home, "serve", "--listen", "127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("ending the server: %v", err)
		}
	})
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "serving "))
}

// connections are the ways in which the official Go client reaches one home.
func connections(t *testing.T, home string) map[string]func(context.Context) (*client.Client, error) {
	url := serve(t, home)
	ways := map[string]func(context.Context) (*client.Client, error){}
	for _, era := range []client.Era{client.Modern, client.Sessions} {
		cfg := client.Config{Era: era}
		ways["stdio "+string(era)] = func(ctx context.Context) (*client.Client, error) {
			cmd := exec.Command(built.writ, "--home", home, "run")
			cmd.Stderr = os.Stderr
			return cfg.Stdio(ctx, cmd)
		}
		ways["http "+string(era)] = func(ctx context.Context) (*client.Client, error) { return cfg.HTTP(ctx, url) }
	}
	return ways
}

func TestTheGoClient(t *testing.T) {
	home, notes := home(t)
	install(t, home, built.weather, "--allow", "api", "--tools", "units")
	for name, connect := range connections(t, home) {
		t.Run(name, func(t *testing.T) {
			c, err := connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if s := c.Discover(); s.Name != "writ" {
				t.Errorf("the server calls itself %q", s.Name)
			}
			tools, err := c.ListTools(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range tools {
				names = append(names, tool.Name)
			}
			if !slices.IsSorted(names) || !slices.Contains(names, "filesystem_read_text_file") ||
				!slices.Contains(names, "weather_units") || slices.Contains(names, "weather_forecast") {
				t.Errorf("tools %q", names)
			}
			answer, err := c.Call(t.Context(), "filesystem_read_text_file", map[string]any{"path": "/docs/today.txt"})
			if err != nil || answer.IsError || !strings.Contains(answer.Text, "water the plants") {
				t.Errorf("reading: %+v, %v", answer, err)
			}
			answer, err = c.Call(t.Context(), "filesystem_read_text_file", map[string]any{"path": "/etc/passwd"})
			if err != nil || !answer.IsError || strings.Contains(answer.Text, "root:") || strings.Contains(answer.Text, notes) {
				t.Errorf("reading outside: %+v, %v", answer, err)
			}
			answer, err = c.Call(t.Context(), "weather_forecast", map[string]any{"city": "Oslo"})
			if err != nil || !answer.IsError || !strings.Contains(answer.Text, "not granted") {
				t.Errorf("a tool that was not granted: %+v, %v", answer, err)
			}
			if _, err = c.Call(t.Context(), "weather_nosuch", nil); client.Code(err) != -32602 {
				t.Errorf("an unknown tool: %v, want -32602", err)
			}
		})
	}
}

// A change by another process reaches a client that listens, and the next call.
func TestARunningServerFollowsTheHome(t *testing.T) {
	home, _ := home(t)
	changed := make(chan struct{}, 100)
	cmd := exec.Command(built.writ, "--home", home, "run")
	c, err := client.Config{ToolsChanged: func() { changed <- struct{}{} }}.Stdio(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	install(t, home, built.weather, "--allow", "api", "--tools", "units")
	<-changed
	if answer, err := c.Call(t.Context(), "weather_units", nil); err != nil || answer.Text != "metric" {
		t.Errorf("the new tool: %+v, %v", answer, err)
	}
	if out, err := exec.Command(built.writ, "--home", home, "revoke", "filesystem").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	answer, err := c.Call(t.Context(), "filesystem_read_text_file", map[string]any{"path": "/docs/today.txt"})
	if err != nil || !answer.IsError || !strings.Contains(answer.Text, "writ grant filesystem") {
		t.Errorf("after revoking: %+v, %v", answer, err)
	}
}
