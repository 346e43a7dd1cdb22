// Package tsclient drives an MCP endpoint with the official TypeScript client, whose reading of the
// protocol is not ours: what it refuses, users' programs refuse.
//
// It needs Node 20 or newer and the packages of package-lock.json (npm ci in this folder). Where
// they are missing, tests that use it are skipped with the reason, or fail when Require is set.
package tsclient

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Require is the environment variable that turns a skip into a failure, for machines that must have
// the client. Any value but the empty one sets it.
const Require = "WRIT_REQUIRE_TSCLIENT"

// Target is what to connect to: URL, or Command on its standard streams.
type Target struct {
	URL     string            `json:"url,omitempty"` // of a Streamable HTTP endpoint
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // on top of this process's own
}

// Step is one request.
type Step struct {
	Do        string `json:"do"` // "list" or "call"
	Tool      string `json:"tool,omitempty"`
	Arguments any    `json:"arguments,omitempty"` // nil: {}
	Progress  bool   `json:"progress,omitempty"`  // ask for notifications
}

// List asks for the first page of tools.
func List() Step { return Step{Do: "list"} }

// Call calls a tool.
func Call(tool string, arguments any) Step {
	return Step{Do: "call", Tool: tool, Arguments: arguments}
}

// Output is what came back. Steps are in the order of the script.
type Output struct {
	Server struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"server"`
	Steps  []Done   `json:"steps"`
	Faults []string `json:"faults"` // what the client found wrong outside of an answer
}

// Done is the answer to one step: Result, or Error when the client threw one.
type Done struct {
	Result   json.RawMessage `json:"result,omitempty"`
	Error    *Error          `json:"error,omitempty"`
	Progress []Progress      `json:"progress,omitempty"`
}

// Error is what the client threw. Code is the server's JSON-RPC code, or the client's own.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Progress is one progress notification.
type Progress struct {
	Progress float64 `json:"progress"`
	Total    float64 `json:"total"`
	Message  string  `json:"message"`
}

// Run connects to target, makes the requests of script one after the other and closes. It fails t
// when the client cannot connect or break down; what a request is answered with is the caller's to judge.
func Run(t testing.TB, target Target, script ...Step) Output {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("tsclient: its folder is unknown")
	}
	folder := filepath.Dir(file)
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "@modelcontextprotocol", "sdk")); err != nil {
		missing(t, "its packages are not installed; run: npm ci --prefix testdata/tsclient")
	}
	input, err := json.Marshal(map[string]any{"target": target, "steps": script})
	if err != nil {
		t.Fatalf("tsclient: %v", err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(folder, "driver.mjs"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("tsclient: %v\n%s", err, stderr.Bytes())
	}
	var output Output
	if err := json.Unmarshal(stdout.Bytes(), &output); err != nil {
		t.Fatalf("tsclient: reading the driver's output: %v\n%.1000s\n%s", err, stdout.Bytes(), stderr.Bytes())
	}
	if len(output.Steps) != len(script) {
		t.Fatalf("tsclient: %d of %d requests were made", len(output.Steps), len(script))
	}
	return output
}

// missing skips t, or fails it where the client is required.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(Require) != "" {
		t.Fatalf("tsclient: %s, and %s is set", why, Require)
	}
	t.Skipf("tsclient: skipped, as %s", why)
}
