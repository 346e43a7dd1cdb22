//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// group makes a process the first of a group: attacks start processes of their own, which must end with it.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// kill ends the whole group. An error means that it is gone.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
