package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/client"
)

// What works on one home at once: as a person's clients, a server and scripts do.
const (
	stdioClients = 8
	httpClients  = 2
	callsEach    = 8   // of a client
	commandLines = 100 // of ten kinds
)

// TestManyProcessesShareAHome lets servers, clients and commands work on one home at once. None may
// fail, and afterwards everything that was acknowledged is there, once.
func TestManyProcessesShareAHome(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	writ := func(line string) ([]byte, error) {
		cmd := shellCommand(ctx, dir, line)
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w\n%s", line, err, out)
		}
		return out, err
	}
	give := func(file, alias string) string {
		flags := fmt.Sprintf("%s --as %s --tools '*'", filepath.Join(built.small, file+".wasm"), alias)
		return fmt.Sprintf("d=$(writ install %s --plan --json | sed -n 's/.*\"digest\": \"\\(.*\\)\".*/\\1/p') && writ install %s --approve $d", flags, flags)
	}
	if _, err := writ(give("fast", "fast") + " && " + give("needy", "needy")); err != nil {
		t.Fatal(err)
	}

	var all sync.WaitGroup
	start := make(chan struct{})
	together := func(f func() error) {
		all.Go(func() {
			<-start
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	url, stop := serveHome(t, ctx, dir)
	for range stdioClients {
		together(func() error {
			c, err := client.Stdio(ctx, shellCommand(ctx, dir, "exec writ run"))
			if err != nil {
				return fmt.Errorf("starting `writ run`: %w", err)
			}
			return callAndClose(ctx, c)
		})
	}
	for range httpClients {
		together(func() error {
			c, err := client.HTTP(ctx, url)
			if err != nil {
				return fmt.Errorf("connecting to `writ serve`: %w", err)
			}
			return callAndClose(ctx, c)
		})
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for i := range commandLines / 10 {
			for _, line := range []string{
				"writ call fast_say", "writ call fast_say", "writ list", "writ tools --json", "writ audit --limit 5", "writ audit verify",
				fmt.Sprintf("writ config set needy KEY v%d", i), give("fast", fmt.Sprintf("more-%d", i)),
				"writ list --inventory", "writ status",
			} {
				lines <- line
			}
		}
	}()
	const terminals = 4
	for range terminals {
		together(func() (first error) {
			for line := range lines {
				if _, err := writ(line); err != nil && first == nil {
					first = err
				}
			}
			return first
		})
	}
	close(start)
	all.Wait()
	stop()

	const kinds = commandLines / 10
	count := func(event string) int {
		out, err := writ("writ audit --limit 0 --json --event " + event)
		if err != nil {
			t.Fatal(err)
		}
		var found struct{ Entries []registry.Entry }
		if err := json.Unmarshal(out, &found); err != nil {
			t.Fatal(err)
		}
		return len(found.Entries)
	}
	calls := (stdioClients+httpClients)*callsEach + 2*kinds
	for event, want := range map[string]int{"call": calls, "answer": calls, "install": 2 + kinds, "config": kinds} {
		if n := count(event); n != want {
			t.Errorf("%d entries of %s, want %d", n, event, want)
		}
	}
	out, err := writ("writ list --json")
	var installed struct{ Servlets []listed }
	if err == nil {
		err = json.Unmarshal(out, &installed)
	}
	if err != nil || len(installed.Servlets) != 2+kinds {
		t.Errorf("%d servlets, %v, want %d", len(installed.Servlets), err, 2+kinds)
	}
	for _, s := range installed.Servlets {
		if s.NotReady != "" {
			t.Error(s.NotReady)
		}
	}
	// Every process ended as it should, so that each chain has its signed end.
	if out, err := writ("writ audit verify --json"); err != nil || strings.Contains(string(out), `"torn"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := writ("writ doctor"); err != nil {
		t.Error(err)
	}
}

func callAndClose(ctx context.Context, c *client.Client) error {
	for range callsEach {
		answer, err := c.Call(ctx, "fast_say", map[string]any{})
		if err != nil || answer.IsError || answer.Text != "hello" {
			return fmt.Errorf("calling: %q, %w", answer.Text, err)
		}
	}
	return c.Close()
}

// serveHome starts a server on the home of a folder and returns its address and what ends it.
func serveHome(t *testing.T, ctx context.Context, dir string) (url string, stop func()) {
	t.Helper()
	cmd := shellCommand(ctx, dir, "exec writ serve --listen 127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(stderr).ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(said), "serving ")
	if err != nil || !ok {
		t.Fatalf("%q, %v", said, err)
	}
	return url, func() { endServer(t, cmd) }
}

func endServer(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
