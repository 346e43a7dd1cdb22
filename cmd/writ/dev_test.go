//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/testdata/client"
)

// devHome is a home whose cache has the code of the script engine after the first test that builds.
var devHome = sync.OnceValue(func() string { return filepath.Join(filepath.Dir(built.dir), "devhome") })

// scriptSource writes a servlet in TypeScript with one tool "say" of this body.
func scriptSource(t *testing.T, dir, body string) {
	t.Helper()
	writeFiles(t, dir, map[string]string{
		"servlet.toml": "name = \"greeter\"\nversion = \"0.1.0\"\n",
		"main.ts":      scriptOf(body),
	})
}

func scriptOf(body string) string {
	return "import { McpServer, t } from \"writ-servlet\";\nconst server = new McpServer();\n" + body
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// heard is what a process says on standard error, by lines.
type heard struct {
	mu   sync.Mutex
	cond *sync.Cond
	text bytes.Buffer
	over bool
}

func hear(r io.Reader) *heard {
	h := &heard{}
	h.cond = sync.NewCond(&h.mu)
	go func() {
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			h.mu.Lock()
			h.text.WriteString(line)
			h.over = err != nil
			h.cond.Broadcast()
			h.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return h
}

// await waits until all that was said has a text, from a place on, and returns the place after it.
func (h *heard) await(t *testing.T, from int, want string) int {
	t.Helper()
	late := time.AfterFunc(time.Minute, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.over = true
		h.cond.Broadcast()
	})
	defer late.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if at := strings.Index(h.text.String()[from:], want); at >= 0 {
			return from + at + len(want)
		}
		if h.over {
			t.Fatalf("it never said %q:\n%s", want, h.text.String()[from:])
		}
		h.cond.Wait()
	}
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// devCommand is `writ dev` with a folder for temporary files of its own.
func devCommand(t *testing.T, args ...string) (cmd *exec.Cmd, said *heard, temporary string) {
	t.Helper()
	temporary = t.TempDir()
	cmd = exec.Command(built.writ, append([]string{"--home", devHome(), "dev"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	return cmd, hear(stderr), temporary
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

const hello = "server.registerTool(\"say\", { description: \"Says something\" }, () => \"one\");\n"

// A client stays connected while the source is edited: it is told of new tools, gets new answers, and the
// last good build when the source is broken.
func TestDevFollowsTheSource(t *testing.T) {
	for _, over := range []string{"stdio", "http"} {
		t.Run(over, func(t *testing.T) {
			source := t.TempDir()
			scriptSource(t, source, hello)
			changed := make(chan struct{}, 16)
			cfg := client.Config{ToolsChanged: func() { changed <- struct{}{} }}
			var c *client.Client
			var err error
			args := []string{source}
			if over == "http" {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			cmd, said, temporary := devCommand(t, args...)
			end := func() error { return nil }
			if over == "http" {
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				at := said.await(t, 0, "serving ")
				said.await(t, at, "/mcp\n")
				url, _, _ := strings.Cut(said.all()[at:], "\n")
				end = func() error { return errors.Join(cmd.Process.Signal(syscall.SIGINT), cmd.Wait()) }
				c, err = cfg.HTTP(t.Context(), url)
			} else {
				c, err = cfg.Stdio(t.Context(), cmd)
			}
			if err != nil {
				t.Fatal(err)
			}
			is := func(want string) {
				t.Helper()
				if got, err := c.Call(t.Context(), "greeter_say", nil); err != nil || got.Text != want {
					t.Fatalf("got %q, %v, want %q\n%s", got.Text, err, want, said.all())
				}
			}
			said.await(t, 0, "built ") // a server does not keep its client waiting for long
			is("one")
			at := said.await(t, 0, "greeter_say ok")
			said.await(t, at, "  rung ")
			writeFiles(t, source, map[string]string{"main.ts": scriptOf(strings.ReplaceAll(hello, "one", "two") +
				"server.registerTool(\"more\", { description: \"Says more\" }, () => \"more\");\n")})
			<-changed
			is("two")
			tools, err := c.ListTools(t.Context())
			if err != nil || len(tools) != 2 {
				t.Errorf("%d tools, %v", len(tools), err)
			}
			at = said.await(t, at, "(greeter_say greeter_more)\n")
			writeFiles(t, source, map[string]string{"main.ts": scriptOf("const = 1;\n")})
			at = said.await(t, at, "build failed:\n  main.ts:3:7: ")
			at = said.await(t, at, "the last good build goes on serving\n")
			is("two")
			writeFiles(t, source, map[string]string{"main.ts": scriptOf(strings.ReplaceAll(hello, "one", "three"))})
			said.await(t, at, "1 tool (greeter_say)\n")
			is("three")
			if err := errors.Join(c.Close(), end()); err != nil {
				t.Errorf("ending: %v\n%s", err, said.all())
			}
			isEmpty(t, temporary)
		})
	}
}

// What a tool wants and does not have is told with what would allow it, for each step of the way.
func TestDevTellsWhatIsMissing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	source, notes := t.TempDir(), t.TempDir()
	writeFiles(t, notes, map[string]string{"today.txt": "water the plants\n"})
	script := scriptOf(`import { readTextFile } from "writ-servlet/files";
server.registerTool("read", { description: "Reads" }, () => {
  console.log("about to \u001b[31mread");
  return readTextFile("/docs/today.txt");
});
`)
	declared := "name = \"greeter\"\nversion = \"0.1.0\"\n\n[[capabilities.fs]]\nid = \"docs\"\nguest = \"/docs\"\nmode = \"ro\"\n"
	writeFiles(t, source, map[string]string{"servlet.toml": declared + "\n[uses]\nread = [\"fs:docs\"]\n", "main.ts": script})
	cmd, said, _ := devCommand(t, source)
	c, err := client.Stdio(ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	at := said.await(t, 0, "note: fs docs is not given: --dir docs=PATH\n")
	if got, err := c.Call(ctx, "greeter_read", nil); err != nil || !got.IsError {
		t.Errorf("%v, %v", got, err)
	}
	at = said.await(t, at, "greeter_read tool error")
	at = said.await(t, at, `log info: about to \u001b[31mread`)
	at = said.await(t, at, "refused: fs stat ")
	said.await(t, at, "not granted: give it with --dir docs=PATH\n")
	if err := c.Close(); err != nil {
		t.Error(err)
	}

	cmd, said, _ = devCommand(t, source, "--dir", "docs="+notes)
	if c, err = client.Stdio(ctx, cmd); err != nil {
		t.Fatal(err)
	}
	said.await(t, 0, "built ")
	if got, err := c.Call(ctx, "greeter_read", nil); err != nil || got.Text != "water the plants\n" {
		t.Errorf("%v, %v\n%s", got, err, said.all())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A process that is killed leaves no secret that opens, and the next one clears its folder away.
func TestDevClearsWhatAKilledOneLeft(t *testing.T) {
	source := t.TempDir()
	scriptSource(t, source, hello)
	cmd, said, temporary := devCommand(t, source, "--listen", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said.await(t, 0, "serving ")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	left, err := filepath.Glob(filepath.Join(temporary, devPrefix+"*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("%v, %v", left, err)
	}
	clearDevHomes(temporary, time.Now())
	if _, err := os.Stat(left[0]); err != nil {
		t.Errorf("what may be another system's was cleared away: %v", err)
	}
	clearDevHomes(temporary, time.Now().Add(2*devStale))
	isEmpty(t, temporary)

	own := filepath.Join(temporary, devPrefix+"1-living")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	clearDevHomes(temporary, time.Now().Add(2*devStale))
	if _, err := os.Stat(own); err != nil {
		t.Errorf("that of a living process was cleared away: %v", err)
	}
}

// A change is one of the source, of what it builds upon by a path, and of what the last build named; not of what
// a build writes.
func TestDevLooksAtWhatItBuilds(t *testing.T) {
	root := t.TempDir()
	source := filepath.Join(root, "source")
	writeFiles(t, root, map[string]string{
		"source/go.mod": "module x\n\nreplace y => ../y\n\nreplace z => ../..\n", "source/Cargo.toml": "[dependencies]\nk = { path = \"../k\" }\n",
		"source/main.go": "a", "source/.git/HEAD": "a", "source/target/out": "a", "source/node_modules/p/index.js": "a", "source/node_modules/q/index.js": "a",
		"y/y.go": "a", "k/src/lib.rs": "a", "other/o.go": "a", "shared/s.ts": "a",
	})
	d := &dev{app: &app{}, source: source}
	d.now.sources = []string{filepath.Join(root, "shared/s.ts"), filepath.Join(source, "node_modules/p/index.js")}
	for name, changes := range map[string]bool{
		"source/main.go": true, "source/new.go": true, "source/go.mod": true, "y/y.go": true, "k/src/lib.rs": true,
		"shared/s.ts": true, "source/node_modules/p/index.js": true,
		"source/.git/HEAD": false, "source/target/out": false, "source/node_modules/q/index.js": false, "other/o.go": false,
	} {
		before := d.look()
		writeFiles(t, root, map[string]string{name: "another text, and replace y => ../y"})
		if d.look().is(before) == changes {
			t.Errorf("%s: changes: %v, want %v", name, !changes, changes)
		}
	}
	said, err := os.Create(filepath.Join(source, "dev.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	d.stderr = said
	before := d.look()
	if _, err := said.WriteString("built again\n"); err != nil {
		t.Fatal(err)
	}
	if !d.look().is(before) {
		t.Error("what the command says is a change of the source")
	}
	if link := filepath.Join(root, "link"); os.Symlink(source, link) == nil {
		if d.source = link; !d.look().is(before) || len(d.look().inside) != len(before.inside) {
			t.Error("through a link the source is another one")
		}
		d.source = source
	}
	before = d.look()
	if err := os.Remove(filepath.Join(source, "main.go")); err != nil {
		t.Fatal(err)
	}
	if d.look().is(before) {
		t.Error("a file that is gone is no change")
	}
	d.now.sources = nil
	if after := d.look(); !after.is(d.look()) || !d.look().is(after) {
		t.Error("what is named no more is a change")
	}
}

// Go tells the line of a panic, and the function in which a call was stopped.
func TestDevNamesTheFunctionOfGo(t *testing.T) {
	source := filepath.Join(t.TempDir(), "weather")
	if err := os.CopyFS(source, os.DirFS("testdata/weather")); err != nil {
		t.Fatal(err)
	}
	sdk, err := filepath.Abs("../../sdk/go")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"go.mod":       func(text string) string { return strings.ReplaceAll(text, "../../../../sdk/go", sdk) },
		"servlet.toml": func(text string) string { return text + "\n[limits]\nwall_ms = 300\n" },
	} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		writeFiles(t, source, map[string]string{name: change(string(text))})
	}
	cmd, said, _ := devCommand(t, source)
	c, err := client.Stdio(t.Context(), cmd)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.all())
	}
	at := said.await(t, 0, "built ")
	for how, place := range map[string]string{"panic": "\n  at main.go:80\n", "spin": "\n  in crash, which begins at main.go:75\n"} {
		got, err := c.Call(t.Context(), "weather_crash", map[string]any{"how": how})
		if err != nil || !got.IsError || strings.Contains(string(got.Raw), ".go") {
			t.Errorf("%s: %+v, %v", how, got.Text, err)
		}
		at = said.await(t, at, place)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Secrets are those of an installed servlet that is named, and of no other.
func TestDevTakesSecretsByName(t *testing.T) {
	const token = "canary-7e11/token"
	asked := make(chan string, 2)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
		fmt.Fprint(w, "fine")
	}))
	defer srv.Close()
	network, origin := exampleCom(srv)
	home := devHome()
	approved(t, network, home, "install", built.weather, "--allow", "account", "--tools", "account")
	defer typed(t, network, home, "", "remove", "weather", "--purge")
	for _, step := range [][]string{{"secret", "key", "use", "file"}, {"secret", "set", "weather", "API_KEY"}} {
		if _, said, status := typed(t, network, home, token+"\n", step...); status != exitOK {
			t.Fatal(said)
		}
	}
	source := t.TempDir()
	writeFiles(t, source, map[string]string{
		"servlet.toml": "name = \"weather\"\nversion = \"0.1.0\"\n\n[[capabilities.http]]\nid = \"api\"\norigin = \"" + origin + "\"\nmethods = [\"GET\"]\npaths = [\"/\"]\n" +
			"auth = { type = \"header\", name = \"Authorization\", value = \"Bearer {secret:API_KEY}\" }\n\n[[capabilities.secrets]]\nkey = \"API_KEY\"\nuse = \"egress\"\n\n[uses]\nask = [\"http:api\"]\n",
		"main.ts": scriptOf("server.registerTool(\"ask\", { description: \"Asks\" }, async () => (await fetch(\"" + origin + "/me\")).text());\n"),
	})
	for _, named := range []bool{false, true} {
		args := []string{source, "--allow", "api"}
		if named {
			args = append(args, "--secrets", "weather")
		}
		c, said, end := develop(t, network, args...)
		got, err := c.Call(t.Context(), "weather_ask", nil)
		if err != nil || got.IsError == named {
			t.Errorf("named: %v: %+v, %v\n%s", named, got.Text, err, said.all())
		}
		if text := end(); strings.Contains(text, "canary") || !named != strings.Contains(text, "note: secret API_KEY has no value") {
			t.Errorf("named: %v: it said\n%s", named, text)
		}
	}
	if len(asked) != 1 || <-asked != "Bearer "+token {
		t.Error("the site did not get the secret, once")
	}
}

// Whoever writes a servlet is told the line at which a call failed; the model never.
func TestDevNamesTheLine(t *testing.T) {
	source := t.TempDir()
	writeFiles(t, source, map[string]string{
		"servlet.toml": "name = \"greeter\"\nversion = \"0.1.0\"\n\n[limits]\nwall_ms = 200\n",
		"lib/spin.ts":  "export function spin(x: number) {\n  for (;;) {\n    x = (x * 3 + 1) % 1000003;\n  }\n}\n",
		"main.ts": scriptOf(`import { spin } from "./lib/spin";
const add = (name: string, run: () => unknown) => server.registerTool(name, { description: "Does " + name }, run as any);
add("spin", () => spin(7));
add("plain", () => { throw new Error("the text is empty"); });
add("bug", async () => {
  await null;
  return (undefined as any).name;
});
`)})
	cmd, said, _ := devCommand(t, source)
	c, err := client.Stdio(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	at := said.await(t, 0, "built ")
	for _, one := range []struct{ tool, text, place string }{
		{"spin", "did not answer within 200ms", "\n  at lib/spin.ts:3:"},
		{"plain", "the text is empty", "\n  at main.ts:6:"},
		{"bug", "TypeError", "\n  at main.ts:9:"},
	} {
		got, err := c.Call(t.Context(), "greeter_"+one.tool, nil)
		if err != nil || !got.IsError || !strings.Contains(got.Text, one.text) || strings.Contains(string(got.Raw), ".ts") {
			t.Errorf("%s: %+v, %v", one.tool, got.Text, err)
		}
		at = said.await(t, at, one.place)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
