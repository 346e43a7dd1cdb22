// Package pyclient drives an MCP endpoint with the official Python client.
//
// It needs Python 3.11 or newer and the packages of requirements.txt in .venv (make testdata/pyclient/.venv/complete).
// Where they are missing, tests that use it are skipped with the reason, or fail when Require is set.
package pyclient

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/writ-run/writ/testdata/driver"
)

// Require is the environment variable that turns a skip into a failure, for machines that must have
// the client. Any value but the empty one sets it.
const Require = "WRIT_REQUIRE_PYCLIENT"

// Client is the official Python client.
func Client() driver.Client {
	c := driver.Client{Name: "pyclient", Require: Require}
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		c.Missing = "its folder is unknown"
		return c
	}
	folder := filepath.Dir(file)
	python := filepath.Join(folder, ".venv", "bin", "python")
	// The rule's last step makes this file: without it the packages are there in part.
	if _, err := os.Stat(filepath.Join(folder, ".venv", "complete")); err != nil {
		c.Missing = "its packages are not installed; run: make testdata/pyclient/.venv/complete"
	}
	c.Command = []string{python, filepath.Join(folder, "driver.py")}
	return c
}
