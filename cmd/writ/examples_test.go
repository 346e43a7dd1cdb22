package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// verbs returns every command that does something itself.
func verbs(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.Name() == "help" || sub.Hidden {
			continue
		}
		if sub.Runnable() {
			all = append(all, sub)
		}
		all = append(all, verbs(sub)...)
	}
	return all
}

func TestEveryVerbHasASentenceAndTwoExamples(t *testing.T) {
	all := verbs((&app{stdin: os.Stdin}).root())
	if len(all) < 20 {
		t.Fatalf("%d verbs", len(all))
	}
	for _, v := range all {
		if s := v.Short; s == "" || strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] {
			t.Errorf("%s: the help's first line %q is not a sentence without its stop", v.CommandPath(), s)
		}
		lines := examples(v)
		if len(lines) != 2 {
			t.Errorf("%s: %d examples, want two", v.CommandPath(), len(lines))
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, v.CommandPath()) {
				t.Errorf("%s: the example %q is of another verb", v.CommandPath(), line)
			}
		}
	}
}

func examples(v *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(v.Example) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// before prepares the folder for the examples of a verb, beyond what exampleFolder does.
var before = map[string]string{
	"writ build":   "writ new go weather && cp -r weather/. .",
	"writ keygen":  "rm publisher.key",
	"writ install": "writ remove filesystem --purge && writ remove weather --purge",
	"writ dev":     "writ new typescript weather && cp -r weather/. .",
	"writ test":    "writ new typescript weather && cp -r weather/. .",
	"writ check":   "writ new go weather && cp -r weather/. .",
	// A key in a file, whatever keyring the machine has.
	"writ secret set":       "writ secret key use file",
	"writ secret":           "writ secret key use file",
	"writ secret rm":        "writ secret key use file && for s in default work; do writ secret set weather API_KEY --space $s < token.txt; done",
	"writ secret key reset": "writ secret key use file",
	"writ key rotate":       "writ key create laptop",
	"writ key revoke":       "writ key create laptop",
	"writ config unset":     "writ config set weather UNITS metric && writ config set weather UNITS metric --space work",
}

// remembering installs the memory servlet and lets it keep something.
const remembering = `d=$(writ install memory.wasm --allow kv --tools '*' --plan --json | sed -n 's/.*"digest": "\(.*\)".*/\1/p')
writ install memory.wasm --allow kv --tools '*' --approve $d && writ call memory_create_entities '{"entities":[{"name":"Ana","entityType":"person","observations":[]}]}'`

func TestEveryExampleRuns(t *testing.T) {
	kept := "" // a folder whose home keeps something; each example that looks at it has a copy
	for _, v := range verbs((&app{stdin: os.Stdin}).root()) {
		for _, line := range examples(v) {
			if kept == "" && strings.HasPrefix(v.CommandPath(), "writ kv") {
				kept = exampleFolder(t)
				shell(t, kept, remembering)
			}
			t.Run(line, func(t *testing.T) {
				if strings.HasPrefix(v.CommandPath(), "writ kv") {
					dir := t.TempDir()
					shell(t, dir, "cp -a "+kept+"/. .")
					shell(t, dir, line)
					return
				}
				dir := exampleFolder(t)
				if prepare := before[v.CommandPath()]; prepare != "" {
					shell(t, dir, prepare)
				}
				if v.Name() == "demo" {
					dir, _ = filepath.Abs("../..")
				}
				if v.Name() == "serve" || v.Name() == "dev" && strings.Contains(line, "--listen") {
					serveAndStop(t, dir, line)
					return
				}
				shell(t, dir, line)
			})
		}
	}
}

// exampleFolder is a folder with what the examples name, and a home with the servlets they use.
func exampleFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, source := range map[string]string{"filesystem.wasm": built.filesystem, "weather.wasm": built.weather, "memory.wasm": built.memory, "publisher.key": built.key} {
		data, err := os.ReadFile(source)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := warm(filepath.Join(dir, "home")); err != nil {
		t.Fatal(err)
	}
	shell(t, dir, `mkdir notes elsewhere && echo hello > notes/today.txt && echo '{"path":"/docs/today.txt"}' > arguments.json && echo a-token-of-mine > token.txt
give() { file=$1; shift; d=$(writ install $file "$@" --plan --json | sed -n 's/.*"digest": "\(.*\)".*/\1/p'); writ install $file "$@" --approve $d; }
for space in default work; do
  give filesystem.wasm --space $space --dir docs=notes --tools '*' && give weather.wasm --space $space --allow api --tools '*' || exit 1
done`)
	return dir
}

func shellCommand(ctx context.Context, dir, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = dir
	// A home of its own: an example must not read, let alone change, the clients of whoever runs this.
	cmd.Env = append(os.Environ(), "PATH="+built.dir+":"+os.Getenv("PATH"), "WRIT_HOME="+filepath.Join(dir, "home"), "GOPROXY=off", "GOWORK=",
		"HOME="+filepath.Join(filepath.Dir(built.dir), "user"), "XDG_CONFIG_HOME=", "CODEX_HOME=", "CLAUDE_CONFIG_DIR=")
	for _, name := range []string{"GOCACHE", "GOENV", "GOMODCACHE", "GOPATH"} {
		cmd.Env = append(cmd.Env, name+"="+goEnv(name))
	}
	return cmd
}

// goEnv is a setting of the Go command as it is outside of the examples.
var goEnv = func() func(string) string {
	known := map[string]string{}
	return func(name string) string {
		if _, ok := known[name]; !ok {
			out, err := exec.Command("go", "env", name).Output()
			if err != nil {
				panic(err)
			}
			known[name] = strings.TrimSpace(string(out))
		}
		return known[name]
	}
}()

func shell(t *testing.T, dir, line string) {
	t.Helper()
	if out, err := shellCommand(t.Context(), dir, line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// serveAndStop starts a server, waits until it says where it serves, and interrupts it.
func serveAndStop(t *testing.T, dir, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := shellCommand(ctx, dir, "exec "+line)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewReader(stderr), ""
	for err == nil && !strings.HasPrefix(said, "serving http://127.0.0.1:") {
		if strings.HasPrefix(said, "writ: ") {
			t.Error(said)
		}
		said, err = lines.ReadString('\n')
	}
	if err != nil {
		t.Errorf("%q, %v", said, err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v, want a clean end", err)
	}
}
