// Probe is a servlet that asks for one folder and tries to reach everything else, with plain system
// calls and no check of its own. The demonstration and the tests run it and expect that it got nothing.
package main

import (
	"context"
	"fmt"
	"os"

	servlet "github.com/writ-run/writ/sdk/go"
)

type input struct {
	Control string   `json:"control" description:"A file of the folder, which must open"`
	Read    []string `json:"read" description:"Paths to try to read"`
	Write   []string `json:"write" description:"Paths to try to write, and to make a link at"`
}

// loot is what a call of probe could reach. Control true and every other field empty is what the
// sandbox promises.
type loot struct {
	Control     bool     `json:"control"`
	Environment []string `json:"environment"`
	Arguments   []string `json:"arguments"`
	Read        []string `json:"read"`
	Written     []string `json:"written"`
	Listed      []string `json:"listed"`
	Memory      string   `json:"memory"`
}

// left is written by each call and must never be found by another.
var left string

func init() {
	servlet.AddTool(servlet.Tool{Name: "loot", ClosedWorld: true,
		Description: "Tries to reach the host's environment, arguments and files, and what an earlier call left in memory"}, rob)
}

func rob(_ context.Context, in input) (loot, error) {
	got := loot{Memory: left, Environment: []string{}, Arguments: []string{}, Read: []string{}, Written: []string{}, Listed: []string{}}
	left = "a call was here"
	got.Environment = append(got.Environment, os.Environ()...)
	got.Arguments = append(got.Arguments, os.Args...)
	_, err := os.ReadFile(in.Control)
	got.Control = err == nil
	for _, path := range in.Read {
		if data, err := os.ReadFile(path); err == nil {
			got.Read = append(got.Read, fmt.Sprintf("%s: %s", path, data))
		}
	}
	for _, path := range in.Write {
		if err := os.WriteFile(path, []byte("the probe was here"), 0o600); err == nil {
			got.Written = append(got.Written, path)
		}
		if err := os.Symlink("/etc", path+".link"); err == nil {
			got.Written = append(got.Written, path+".link")
		}
	}
	for _, dir := range []string{"/", "..", "/docs/..", "/proc", "/etc"} {
		if entries, err := os.ReadDir(dir); err == nil {
			got.Listed = append(got.Listed, fmt.Sprintf("%s (%d entries)", dir, len(entries)))
		}
	}
	return got, nil
}

func main() {}
