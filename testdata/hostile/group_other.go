//go:build !unix

package main

import "os/exec"

// group does nothing here: there are no groups of processes.
func group(*exec.Cmd) {}

// kill ends the process. An error means that it is gone.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
