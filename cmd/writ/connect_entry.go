package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/cmd/clients"
)

// machine is this computer, for this user.
func (a *app) machine() (clients.Machine, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return clients.Machine{}, usagef("no home folder is known, and clients keep their files in it: set HOME")
	}
	return clients.Machine{OS: runtime.GOOS, Home: home, Getenv: a.getenv}, nil
}

// locate finds the file of a client: the user's, or that of a project, which must not lead out of
// its folder.
func (a *app) locate(c clients.Client, project string) (at clients.Place, within string, err error) {
	if project == "" {
		m, err := a.machine()
		if err != nil {
			return at, "", err
		}
		return c.Locate(m), "", nil
	}
	if within, err = filepath.Abs(project); err != nil {
		return at, "", err
	}
	if info, err := os.Stat(within); err != nil || !info.IsDir() {
		return at, "", usagef("--project %s: there is no such folder", project)
	}
	at.Found = true
	at.File, err = c.Project(within)
	return at, within, clientError(err)
}

// entry is what a client is told: this binary by its absolute path, and the space and home of this
// command where they are not the defaults. A client has an environment of its own.
func (a *app) entry(f connectFlags) (clients.Entry, error) {
	e := clients.Entry{Name: f.name, URL: f.url, KeyEnv: f.keyEnv}
	if e.Name == "" {
		if e.Name = clients.DefaultName; a.space != capabilities.DefaultSpace {
			e.Name += "-" + a.space
		}
	}
	switch {
	case f.undo && (f.url != "" || f.keyEnv != ""):
		return e, usagef("--undo takes an entry out by its name: leave --url and --key-env out")
	case f.keyEnv != "" && f.url == "":
		return e, usagef("--key-env is for --url: a process that the client starts needs no key")
	case f.url != "":
		return e, nil
	}
	var err error
	if e.Command, err = binary(); err != nil || f.undo {
		return e, err
	}
	if strings.Contains(e.Command, string(filepath.Separator)+"go-build") {
		return e, usagef("this program goes when `go run` ends: build or install it first")
	}
	e.Args = []string{"run"}
	if a.space != capabilities.DefaultSpace {
		e.Args = append(e.Args, "--space", a.space)
	}
	home, err := a.homeDir()
	if err != nil {
		return e, err
	}
	if usual, err := usualHome(); err != nil || home != usual {
		e.Args = append(e.Args, "--home", home)
	}
	return e, nil
}

// usualHome is the home that a process without any settings uses.
func usualHome() (string, error) {
	return (&app{getenv: func(string) string { return "" }}).homeDir()
}

// binary is the absolute path of this program. A link to it that it was called by stays a link: what
// is behind it moves when a package manager installs the next version.
func binary() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %v", err)
	}
	called, err := exec.LookPath(os.Args[0])
	if err == nil {
		called, err = filepath.Abs(called)
	}
	if err == nil && sameFile(called, exe) {
		return called, nil
	}
	return exe, nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
