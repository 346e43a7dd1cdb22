package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/servlets/builtin"
)

// servlets are the one that is shown and the one that means harm: from the clone, or from this binary.
func (d *demo) servlets(ctx context.Context) (shown, hostile *approval.Candidate, err error) {
	if d.root != "" {
		if shown, err = d.make(ctx, filepath.Join("servlets", demoServlet)); err == nil {
			hostile, err = d.make(ctx, filepath.Join("testdata", "probe"))
		}
		return shown, hostile, err
	}
	set, err := builtin.Shipped()
	if err != nil {
		return nil, nil, err
	}
	d.title("Take the %s servlet that is built into this writ, and a hostile one to try it with", demoServlet)
	if shown, err = approval.ReadBuiltIn(ctx, demoServlet); err != nil {
		return nil, nil, err
	}
	file, err := set.File(demoServlet)
	if err != nil {
		return nil, nil, err
	}
	d.sayTaken(shown, len(file), builtin.Source)
	probe, err := set.Probe()
	if err == nil {
		hostile, err = d.sign(ctx, probe)
	}
	return shown, hostile, err
}

// wayOutName is the link in the folder that leads out of it.
const wayOutName = "way-out"

const welcome = `Welcome to the playground.

This is the one folder that the demonstration gives to a servlet. It may read what is here. It cannot
see anything beside or above this folder, and it does not know where on the machine the folder is.
`

// playground is the folder to give: the clone's, or one that is made for this run.
func (d *demo) playground() (string, error) {
	if d.root != "" {
		return filepath.Join(d.root, "testdata", "playground"), nil
	}
	folder := filepath.Join(d.dir, "notes")
	err := os.Mkdir(folder, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "welcome.txt"), []byte(welcome), 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("making a folder to give: %w", err)
	}
	err = os.Symlink(d.outside(), filepath.Join(folder, wayOutName))
	if err != nil && runtime.GOOS == "windows" && !errors.Is(err, fs.ErrExist) {
		fmt.Fprintln(d.stdout, "Links are not tried: Windows lets only some users make them.")
		return folder, nil
	}
	return folder, err
}

// outside is the file beside the folder with the secret in it.
func (d *demo) outside() string { return filepath.Join(d.dir, "outside.txt") }
