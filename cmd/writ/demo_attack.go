package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/testdata/client"
)

// prey is what the demonstration's servlets must not reach.
type prey struct {
	secret  string // in the environment of `writ run` and in the file outside
	outside string // path of a file outside of the folder, as a guest would write it
	linked  string // first line of what the folder's link out points to; empty: the folder has no link
	folder  string // the folder that was given, for reading only
}

func newPrey(secret, outside, folder string) (prey, error) {
	wayOut, err := os.ReadFile(filepath.Join(folder, wayOutName))
	if err != nil && (runtime.GOOS != "windows" || !errors.Is(err, fs.ErrNotExist)) {
		return prey{}, fmt.Errorf("the playground's link out: %w", err)
	}
	line, _, _ := strings.Cut(string(wayOut), "\n")
	return prey{secret, filepath.ToSlash(outside), line, folder}, nil
}

// attempt is one way out that the demonstration tries, and how its answer is judged.
type attempt struct {
	name string
	tool string
	args map[string]any
	// worked says what of the host the answer shows, or why it proves nothing; "" is a refusal.
	worked func(p prey, answer client.Result) string
}

// attempts are made through the well-meaning filesystem servlet, and through one that means harm.
func attempts(p prey) []attempt {
	read := "filesystem_read_text_file"
	link := "/docs/" + wayOutName
	up := "/docs/" + strings.Repeat("../", 20) + strings.TrimPrefix(p.outside, "/")
	all := []attempt{
		{"read a file outside by its path", read, map[string]any{"path": p.outside}, refused},
		{"climb out with ..", read, map[string]any{"path": up}, refused},
		{"follow a symbolic link out", read, map[string]any{"path": link}, refused},
		{"write where only reading was approved", "filesystem_write_file",
			map[string]any{"path": "/docs/demo-was-here.txt", "content": "x"}, refused},
		{"the same with plain system calls, and the environment, arguments and memory of others", "probe_loot",
			map[string]any{
				"control": "/docs/welcome.txt",
				"read":    []string{p.outside, up, link, "/etc/passwd", "/proc/self/environ", "/docs/../etc/passwd"},
				"write":   []string{"/docs/demo-was-here.txt", "/demo-was-here.txt", up},
			}, nothing},
	}
	if p.linked == "" { // where a person may make no links
		all = slices.DeleteFunc(all, func(a attempt) bool { return a.args["path"] == link })
	}
	return all
}

// refused wants an error that shows nothing.
func refused(p prey, answer client.Result) string {
	for _, text := range []string{p.secret, p.linked} {
		if text != "" && bytes.Contains(answer.Raw, []byte(text)) {
			return "the answer holds what it must not"
		}
	}
	if !answer.IsError {
		return "the answer is no refusal: " + capabilities.Printable(answer.Text, maxCell)
	}
	return ""
}

// nothing wants a probe that worked and came back empty-handed.
func nothing(p prey, answer client.Result) string {
	var got struct {
		Control                                       *bool
		Environment, Arguments, Read, Written, Listed *[]string
		Memory                                        *string
	}
	if err := json.Unmarshal(answer.Structured, &got); err != nil || got.Control == nil || !*got.Control || got.Memory == nil {
		return "the probe did not work, so nothing is proven: " + capabilities.Printable(answer.Text, maxCell)
	}
	if *got.Memory != "" || bytes.Contains(answer.Raw, []byte(p.secret)) {
		return "memory of an earlier call, or the secret"
	}
	for name, list := range map[string]*[]string{"environment": got.Environment, "arguments": got.Arguments,
		"read": got.Read, "written": got.Written, "listed": got.Listed} {
		if list == nil {
			return name + " is missing, so nothing is proven"
		}
		if len(*list) > 0 {
			return name + ": " + capabilities.Printable(strings.Join(*list, ", "), maxCell)
		}
	}
	return ""
}

// attack makes every attempt twice, as the second time an earlier call's memory would be there to
// find. It ends the run with status 1 when one worked.
func (d *demo) attack(ctx context.Context, c *client.Client, p prey) error {
	d.title("Try to get out, with a secret in the environment of `writ run`")
	worked := 0
	for round := range 2 {
		for _, try := range attempts(p) {
			answer, err := c.Call(ctx, try.tool, try.args)
			if err != nil {
				return fmt.Errorf("%s: %w", try.name, err)
			}
			switch shown := try.worked(p, answer); {
			case shown != "":
				worked++
				fmt.Fprintf(d.stdout, "   IT WORKED   %s: %s\n", try.name, shown)
			case round == 1:
				fmt.Fprintf(d.stdout, "   refused     %s\n", try.name)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(p.folder, "demo-was-here.txt")); err == nil {
		worked++
		fmt.Fprintln(d.stdout, "   IT WORKED   a file was written where only reading was approved")
	}
	if worked > 0 {
		return silent(exitTool)
	}
	return nil
}
