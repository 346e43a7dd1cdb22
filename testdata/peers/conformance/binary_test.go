package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the writ command with a home of its own.
type binary struct{ file, home string }

func newBinary(t *testing.T) binary {
	t.Helper()
	b := binary{filepath.Join(t.TempDir(), "writ"), filepath.Join(t.TempDir(), "home")}
	cmd := exec.Command("go", "build", "-o", b.file, "./cmd/writ")
	cmd.Dir = "../../.."
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building writ: %v\n%s", err, text)
	}
	return b
}

// run runs writ. A status other than 0 and 1 fails the test: 1 is a tool's error.
func (b binary) run(t *testing.T, args ...string) (stdout []byte, status int) {
	t.Helper()
	cmd := exec.Command(b.file, append([]string{"--home", b.home}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return stdout, 1
	}
	if err != nil {
		t.Fatalf("writ %v: %v\n%s", args, err, stderr.Bytes())
	}
	return stdout, 0
}

// An author's folder with a plug-in and a servlet.toml becomes a servlet that answers from the command
// line what the other host answers.
func TestTheCommandAnswersTheSame(t *testing.T) {
	module, writ := build(t), newBinary(t)
	dir := t.TempDir()
	declared, err := os.ReadFile("../plugin/servlet.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"plugin.wasm": module, "servlet.toml": declared} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	servlet := filepath.Join(dir, "plugin-servlet.wasm")
	writ.run(t, "build", dir, "-o", servlet)
	install := []string{"install", servlet, "--dev", "--tools", "*", "--host", "api=https://example.com"}
	planned, _ := writ.run(t, append(install, "--plan", "--json")...)
	var plan struct{ Digest string }
	if err := json.Unmarshal(planned, &plan); err != nil || plan.Digest == "" {
		t.Fatalf("plan: %v\n%s", err, planned)
	}
	writ.run(t, append(install, "--approve", plan.Digest)...)

	theirs := newReference(t, module)
	for _, c := range []struct {
		tool      string
		arguments map[string]any
	}{
		{"echo", map[string]any{"text": "hello <world> & ü 漢"}},
		{"setting", map[string]any{"key": "UNITS"}},
		{"variables", map[string]any{"key": "k", "text": "v"}},
		{"variables", map[string]any{"key": "k", "text": "other"}},
		{"blocks", map[string]any{"count": 500}},
		{"chatter", map[string]any{"text": "line"}},
		{"fail", map[string]any{"text": "it is Tuesday"}},
	} {
		arguments, err := json.Marshal(c.arguments)
		if err != nil {
			t.Fatal(err)
		}
		want := theirs.call(t, "call", request(c.tool, c.arguments))
		got, status := writ.run(t, "call", "extism-plugin_"+c.tool, string(arguments), "--json")
		if want.failure != "" {
			want.output = `{"content":[{"type":"text","text":"` + want.failure + `"}],"isError":true}`
		}
		var compact bytes.Buffer // printed for a person
		if err := json.Compact(&compact, got); err != nil {
			t.Fatalf("%s: %v\n%s", c.tool, err, got)
		}
		if compact.String() != want.output || (status == 1) != (want.failure != "") {
			t.Errorf("%s %s\nwrit      %s (status %d)\nreference %s", c.tool, arguments, compact.Bytes(), status, want.output)
		}
	}
}
