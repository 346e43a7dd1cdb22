// Package tsclient drives an MCP endpoint with the official TypeScript client.
//
// It needs Node 20 or newer and the packages of package-lock.json (npm ci in this folder). Where
// they are missing, tests that use it are skipped with the reason, or fail when Require is set.
package tsclient

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/writ-run/writ/testdata/driver"
)

// Require is the environment variable that turns a skip into a failure, for machines that must have
// the client. Any value but the empty one sets it.
const Require = "WRIT_REQUIRE_TSCLIENT"

// What tests say to any client of another language.
type (
	Target = driver.Target
	Step   = driver.Step
	Output = driver.Output
)

// List asks for the first page of tools.
func List() Step { return driver.List() }

// Call calls a tool.
func Call(tool string, arguments any) Step { return driver.Call(tool, arguments) }

// Run connects to target, makes the requests of script one after the other and closes, as
// [driver.Client.Run] does.
func Run(t testing.TB, target Target, script ...Step) Output {
	t.Helper()
	return Client().Run(t, target, script...)
}

// Client is the official TypeScript client.
func Client() driver.Client {
	c := driver.Client{Name: "tsclient", Require: Require}
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		c.Missing = "its folder is unknown"
		return c
	}
	folder := filepath.Dir(file)
	node, err := exec.LookPath("node")
	if err != nil {
		c.Missing = "node is not installed"
	} else if _, err := os.Stat(filepath.Join(folder, "node_modules", "@modelcontextprotocol", "sdk")); err != nil {
		c.Missing = "its packages are not installed; run: npm ci --prefix testdata/tsclient"
	}
	c.Command = []string{node, filepath.Join(folder, "driver.mjs")}
	return c
}
