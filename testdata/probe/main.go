// Probe is a servlet that asks for nothing and tries to reach everything. The demonstration and the
// tests run it and expect that it got nothing.
package main

import (
	"context"
	"fmt"
	"os"

	servlet "github.com/writ-run/writ/sdk/go"
)

type input struct {
	Files []string `json:"files" description:"Paths of the host to try to open"`
}

// loot is what a call of probe could reach. Every field empty is what the sandbox promises.
type loot struct {
	Environment []string `json:"environment"`
	Arguments   []string `json:"arguments"`
	Opened      []string `json:"opened"`
	Listed      []string `json:"listed"`
	Memory      string   `json:"memory"`
	Refused     []string `json:"refused"`
}

// left is written by each call and must never be found by another.
var left string

func init() {
	servlet.AddTool(servlet.Tool{Name: "loot", Description: "Tries to read the host's environment, arguments and files, and what an earlier call left in memory", ReadOnly: true, ClosedWorld: true}, rob)
}

func rob(_ context.Context, in input) (loot, error) {
	got := loot{Environment: os.Environ(), Arguments: os.Args, Memory: left, Opened: []string{}, Listed: []string{}, Refused: []string{}}
	if got.Environment == nil {
		got.Environment = []string{}
	}
	if got.Arguments == nil {
		got.Arguments = []string{}
	}
	for _, path := range in.Files {
		if data, err := os.ReadFile(path); err == nil {
			got.Opened = append(got.Opened, fmt.Sprintf("%s (%d bytes)", path, len(data)))
		} else {
			got.Refused = append(got.Refused, err.Error())
		}
	}
	for _, dir := range []string{"/", ".", "..", "/docs", "/proc"} {
		if entries, err := os.ReadDir(dir); err == nil {
			got.Listed = append(got.Listed, fmt.Sprintf("%s (%d entries)", dir, len(entries)))
		}
	}
	left = "a call was here"
	return got, nil
}

func main() {}
