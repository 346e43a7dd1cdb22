//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/writ-run/writ/testdata/cargo"
	"github.com/writ-run/writ/testdata/client"
)

// TestRustScripts follows an author in Rust from an empty folder to a client's call.
func TestRustScripts(t *testing.T) {
	cargo.Need(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/rust",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, cargo.Environ()...)
			return setupScript(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"approve": approve,
			"client":  callAsClient,
			"status":  exitStatus,
		},
	})
}

// client TOOL ARGUMENTS WANT calls a tool as an MCP client does, which starts writ on its own, and compares
// the text of the answer.
func callAsClient(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var arguments map[string]any
	ts.Check(json.Unmarshal([]byte(args[1]), &arguments))
	c, err := client.Stdio(ctx, shellCommand(ctx, ts.Getenv("WORK"), fmt.Sprintf("WRIT_HOME=%s exec writ run", ts.Getenv("WRIT_HOME"))))
	ts.Check(err)
	answer, err := c.Call(ctx, args[0], arguments)
	ts.Check(err)
	ts.Check(c.Close())
	if answer.IsError || answer.Text != args[2] {
		ts.Fatalf("%s answered %q, want %q", args[0], answer.Text, args[2])
	}
}
