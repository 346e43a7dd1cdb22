package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/testdata/client"
)

// attempt is one way out that the demonstration tries.
type attempt struct {
	name string
	tool string
	args map[string]any
	// forbidden is text that the answer would hold if the attempt worked.
	forbidden string
	// empty are fields of the structured answer that must be empty lists or texts.
	empty []string
}

// attempts are tried against the servlet that was given one folder and against one that was given
// nothing and asks the host for all it can.
func attempts(secret, outside, playground string) ([]attempt, error) {
	wayOut, err := os.ReadFile(filepath.Join(playground, "way-out"))
	if err != nil {
		return nil, fmt.Errorf("the playground's link out: %w", err)
	}
	line, _, _ := strings.Cut(string(wayOut), "\n")
	read := "filesystem_read_text_file"
	slashed := filepath.ToSlash(outside)
	return []attempt{
		{name: "read a file outside by its path", tool: read, args: map[string]any{"path": slashed}, forbidden: secret},
		{name: "climb out with ..", tool: read, args: map[string]any{"path": "/docs/" + strings.Repeat("../", 20) + strings.TrimPrefix(slashed, "/")}, forbidden: secret},
		{name: "follow a symbolic link out", tool: read, args: map[string]any{"path": "/docs/way-out"}, forbidden: line},
		{name: "write where only reading was approved", tool: "filesystem_write_file", args: map[string]any{"path": "/docs/demo-was-here.txt", "content": secret}},
		{name: "read the host's environment, arguments, files and an earlier call's memory", tool: "probe_loot",
			args:      map[string]any{"files": []string{slashed, "/etc/passwd", "/proc/self/environ"}},
			forbidden: secret, empty: []string{"environment", "arguments", "opened", "listed", "memory"}},
	}, nil
}

// attack tries every attempt, twice, and fails when one works: the second time, an earlier call's
// memory would be there to find.
func (d *demo) attack(ctx context.Context, c *client.Client, secret, outside, playground string) error {
	tries, err := attempts(secret, outside, playground)
	if err != nil {
		return err
	}
	d.title("Try to get out, with a secret in the environment of `writ run`")
	worked := 0
	for range 2 {
		for _, t := range tries {
			answer, err := c.Call(ctx, t.tool, t.args)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if found := t.found(answer); found != "" {
				worked++
				fmt.Fprintf(d.stdout, "   IT WORKED   %s: %s\n", t.name, found)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(playground, "demo-was-here.txt")); err == nil {
		worked++
		fmt.Fprintln(d.stdout, "   IT WORKED   a file was written where only reading was approved")
	}
	if worked > 0 {
		return silent(exitTool)
	}
	for _, t := range tries {
		fmt.Fprintf(d.stdout, "   refused   %s\n", t.name)
	}
	return nil
}

// found says what of the host an answer holds, or "".
func (t attempt) found(answer client.Result) string {
	if t.forbidden != "" && bytes.Contains(answer.Raw, []byte(t.forbidden)) {
		return "the answer holds what it must not"
	}
	if len(t.empty) == 0 {
		if !answer.IsError {
			return "the answer is no refusal: " + capabilities.Printable(answer.Text, maxCell)
		}
		return ""
	}
	var fields map[string]any
	if err := json.Unmarshal(answer.Structured, &fields); err != nil {
		return "the answer cannot be read, so nothing is proven"
	}
	for _, name := range t.empty {
		switch v := fields[name].(type) {
		case string:
			if v != "" {
				return name + " is " + capabilities.Printable(v, maxCell)
			}
		case []any:
			if len(v) != 0 {
				return name + " is " + capabilities.Printable(fmt.Sprint(v), maxCell)
			}
		default:
			return name + " is missing, so nothing is proven"
		}
	}
	return ""
}
