// Package driver drives an MCP endpoint with a client library of another language, whose reading of the
// protocol is not ours: what it refuses, users' programs refuse.
//
// The program in that language reads a list of [Job] as JSON from standard input, does one after the other,
// and writes the list of their [Output].
package driver

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// Client is a program that drives a client library.
type Client struct {
	Name    string   // for messages
	Command []string // the program and its arguments
	Missing string   // what this machine lacks to run it, and how to get it; empty: nothing
	Require string   // the environment variable that turns a skip for want of it into a failure
}

// Job is one connection and what is asked on it.
type Job struct {
	Target Target `json:"target"`
	Steps  []Step `json:"steps"`
}

// Target is what to connect to: URL, or Command on its standard streams.
type Target struct {
	URL     string            `json:"url,omitempty"`     // of a Streamable HTTP endpoint
	Headers map[string]string `json:"headers,omitempty"` // of every request to URL
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // on top of this process's own
	Era     string            `json:"era,omitempty"` // 2025-11-25 asks a client that knows both eras for a session
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
	Protocol string   `json:"protocol"` // of the connection, where the client tells
	Steps    []Done   `json:"steps"`
	Faults   []string `json:"faults"`  // what the client found wrong outside of an answer
	Refused  *Error   `json:"refused"` // why the client could not connect; there are no steps then
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

// Run connects to target, makes the requests of script one after the other and closes. It fails t when
// the client cannot connect or breaks down; what a request is answered with is the caller's to judge.
func (c Client) Run(t testing.TB, target Target, script ...Step) Output {
	t.Helper()
	output := c.Try(t, Job{target, script})[0]
	if output.Refused != nil {
		t.Fatalf("%s: connecting: %s (%d)", c.Name, output.Refused.Message, output.Refused.Code)
	}
	if len(output.Steps) != len(script) {
		t.Fatalf("%s: %d of %d requests were made", c.Name, len(output.Steps), len(script))
	}
	return output
}

// Try does jobs one after the other, each on a connection of its own, in one process: starting the other
// language takes longer than a job. Whether the client may connect is the caller's to judge. It skips t where
// the client is missing, or fails it where it is required.
func (c Client) Try(t testing.TB, jobs ...Job) []Output {
	t.Helper()
	if c.Missing != "" {
		if os.Getenv(c.Require) != "" {
			t.Fatalf("%s: %s, and %s is set", c.Name, c.Missing, c.Require)
		}
		t.Skipf("%s: skipped, as %s", c.Name, c.Missing)
	}
	input, err := json.Marshal(jobs)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), c.Command[0], c.Command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", c.Name, err, stderr.Bytes())
	}
	var outputs []Output
	if err := json.Unmarshal(stdout.Bytes(), &outputs); err != nil || len(outputs) != len(jobs) {
		t.Fatalf("%s: reading the driver's output: %v\n%.1000s\n%s", c.Name, err, stdout.Bytes(), stderr.Bytes())
	}
	return outputs
}
