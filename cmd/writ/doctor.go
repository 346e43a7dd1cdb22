package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/vault"
)

// The states of a check.
const (
	healthy = "ok"
	noted   = "note"    // worth knowing; nothing is wrong
	wrong   = "problem" // makes the exit status 1
)

// diagnosis is one line of what a doctor found.
type diagnosis struct {
	Check string `json:"check"` // home, store, audit, secrets, keys, sandbox, servlets, clients
	State string `json:"state"`
	Found string `json:"found"`
	Mend  string `json:"mend,omitempty"` // the command, or what to do
}

// doctor collects what its checks find.
type doctor struct {
	*app
	now   time.Time
	found []diagnosis
}

func (d *doctor) add(check, state, mend, format string, args ...any) {
	d.found = append(d.found, diagnosis{check, state, fmt.Sprintf(format, args...), mend})
}

func (a *app) doctorVerb() *cobra.Command {
	var servers bool
	var project string
	cmd := &cobra.Command{
		Use: "doctor", Args: takes,
		Short: "Look for what is wrong, with the command that mends it",
		Long: `Look for what is wrong, with the command that mends it: the home and who can
read it, the store and the audit, the key of the secrets, keys of clients that end soon,
how calls get their sandbox here, servlets of every space that cannot answer or
have expired, and entries of clients that lead elsewhere. A problem makes the exit status 1.

With --clients, list every MCP server in the files of the clients that Writ
knows, its own and others: keys in plain text (never shown), programs fetched
without a fixed version, and addresses called without encryption. Servers that a
client keeps elsewhere, such as its extensions, are not in these files.`,
		Example: "  writ doctor\n  writ doctor --clients",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if servers {
				return a.examineClients(project)
			}
			if project != "" {
				return usagef("--project: with --clients, look at the clients' files of a project too")
			}
			d := &doctor{app: a, now: time.Now()}
			if err := d.examine(cmd.Context()); err != nil {
				return err
			}
			return d.report()
		},
	}
	cmd.Flags().BoolVar(&servers, "clients", false, "list every MCP server in the clients' files, and what is unsafe about it")
	cmd.Flags().StringVar(&project, "project", "", "with --clients: the files of the project in this folder too")
	return cmd
}

// examine makes every check. Only what keeps the checks themselves from being made is an error.
func (d *doctor) examine(ctx context.Context) error {
	home, err := d.homeDir()
	if err != nil {
		return err
	}
	// Looking must not make a home.
	if _, err := os.Lstat(home); errors.Is(err, fs.ErrNotExist) {
		d.add("home", noted, d.command("install FILE"), "%s does not exist yet: nothing is installed", home)
		d.sandbox(ctx, "")
	} else {
		reg, err := registry.Open(home, &registry.Options{Keyring: vault.SystemKeyring(d.getenv)})
		if err != nil {
			d.add("home", wrong, "", "%v", err)
			d.sandbox(ctx, "")
		} else {
			d.home(home)
			d.store(ctx, reg)
			d.secrets(ctx, reg)
			d.keys(ctx, reg)
			d.sandbox(ctx, codeCache(home))
			if err := reg.Close(); err != nil {
				return err
			}
			if err := d.servlets(ctx); err != nil {
				return err
			}
		}
	}
	return d.entries()
}

// home looks at who can read what is in a home. That it is the user's own was checked to open it.
func (d *doctor) home(home string) {
	var open []string
	err := filepath.WalkDir(home, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return skipUnreadable(err)
		}
		if info, err := e.Info(); err == nil && runtime.GOOS != "windows" && info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			open = append(open, path)
		}
		return nil
	})
	switch {
	case err != nil:
		d.add("home", wrong, "", "%v", err)
	case len(open) > 0:
		d.add("home", wrong, "chmod -R go= "+home, "others on this machine have rights on %s, such as %s", counted(len(open), "file"), open[0])
	default:
		d.add("home", healthy, "", "%s, for this user alone", home)
	}
}

// store looks at what is recorded.
func (d *doctor) store(ctx context.Context, reg *registry.Registry) {
	spaces, err := reg.Spaces(ctx, d.caller())
	if err != nil {
		d.add("store", wrong, "", "%v", err)
		return
	}
	servlets := 0
	for _, space := range spaces {
		all, err := reg.List(ctx, capabilities.Local(space))
		if err != nil {
			d.add("store", wrong, "", "space %s: %v", space, err)
			return
		}
		servlets += len(all)
	}
	d.add("store", healthy, "", "%s in %s, %d kB on disk", counted(servlets, "servlet"), counted(len(spaces), "space"), folderSize(reg.Home())/1000)
	for _, old := range registry.OldStores(reg.Home()) {
		d.add("store", noted, "rm "+old, "%s is the copy that an upgrade of Writ kept", old)
	}
	report, err := reg.VerifyAudit(ctx)
	switch {
	case err != nil:
		d.add("audit", wrong, "", "%v", err)
	case len(report.Broken) > 0:
		d.add("audit", wrong, d.command("audit verify"), "%s changed, removed or reordered", counted(len(report.Broken), "entry"))
	default:
		d.add("audit", healthy, "", "%d entries in %d chains, none changed", report.Entries, report.Chains)
	}
}

// sandbox looks at how calls would get a fresh instance here.
func (d *doctor) sandbox(ctx context.Context, cache string) {
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: cache})
	if err != nil {
		d.add("sandbox", wrong, "", "%v", err)
		return
	}
	method, why := engine.MemoryMethod()
	if err := engine.Close(ctx); err != nil {
		d.add("sandbox", wrong, "", "%v", err)
		return
	}
	what := "each call gets a fresh instance, made from an image (" + method.String() + ")"
	if why != "" {
		d.add("sandbox", noted, "", "%s; a faster way is not used: %s", what, why)
		return
	}
	d.add("sandbox", healthy, "", "%s, the fastest way", what)
}

// report prints what was found, and fails when something is wrong.
func (d *doctor) report() error {
	problems := 0
	var rows [][]string
	for _, f := range d.found {
		if f.State == wrong {
			problems++
		}
		text := f.Found
		if f.Mend != "" {
			text += "; mend it with: " + f.Mend
		}
		rows = append(rows, []string{f.Check, f.State, text})
	}
	var err error
	if d.json {
		err = d.printJSON(map[string]any{"checks": d.found, "problems": problems})
	} else {
		err = d.printTable("CHECK STATE FOUND", rows)
	}
	if err == nil && problems > 0 {
		return silent(exitTool)
	}
	return err
}
