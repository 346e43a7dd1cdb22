package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/cmd/clients"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// connectFlags are the flags of connect.
type connectFlags struct {
	name    string
	project string
	url     string
	keyEnv  string
	undo    bool
	dryRun  bool
}

func (a *app) connectVerb() *cobra.Command {
	var f connectFlags
	cmd := &cobra.Command{
		Use: "connect [CLIENT]", Args: takes,
		Short: "Let an MCP client start Writ, by an entry in its configuration",
		Long: `Let an MCP client start Writ, by an entry in its configuration. Without a name,
list the clients and what is set. Everything else in the file stays byte for
byte, and a copy of it is kept beside it (*` + clients.BackupSuffix + `); --undo takes the entry
out again, whatever else has changed since. A file that cannot be read is named
with line and column and left alone. Nothing is asked.

Clients: ` + strings.Join(clients.Names()[:6], ", ") + `,
` + strings.Join(clients.Names()[6:], ", ") + `.`,
		Example: "  writ connect cursor --dry-run\n  writ connect claude-code --project .",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if f != (connectFlags{project: f.project}) {
					return usagef("CLIENT is missing: name one of %s", strings.Join(clients.Names(), ", "))
				}
				return a.listClients(f.project)
			}
			done, err := a.connect(cmd.Context(), args[0], f)
			if err != nil {
				return err
			}
			return a.sayConnected(done)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.undo, "undo", false, "take the entry out, and nothing else")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would be changed")
	flags.StringVar(&f.project, "project", "", "write the client's file of the project in this folder instead of the user's")
	flags.StringVar(&f.name, "name", "", "name of the entry (default writ; writ-SPACE for another space)")
	flags.StringVar(&f.url, "url", "", "let the client call this address of a server instead of starting a process")
	flags.StringVar(&f.keyEnv, "key-env", "", "environment variable from which the client takes the key for --url")
	return cmd
}

// connection is one entry of a client as it was set, and what --json prints.
type connection struct {
	Client   string         `json:"client"`
	File     string         `json:"file"`
	Entry    string         `json:"entry"`
	Action   clients.Action `json:"action"`
	DryRun   bool           `json:"dry_run,omitempty"`
	Backup   string         `json:"backup,omitempty"` // the file from before
	Command  []string       `json:"command,omitempty"`
	URL      string         `json:"url,omitempty"`
	Diff     []string       `json:"diff,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`

	title   string
	found   bool
	project bool
}

// connect sets or takes out the entry of one client.
func (a *app) connect(ctx context.Context, name string, f connectFlags) (connection, error) {
	c, err := clients.Find(name)
	if err != nil {
		return connection{}, usageError{err}
	}
	at, within, err := a.locate(c, f.project)
	if err != nil {
		return connection{}, err
	}
	done := connection{Client: c.Name, File: at.File, DryRun: f.dryRun, title: c.Title, found: at.Found, project: within != ""}
	entry, err := a.entry(f)
	if err != nil {
		return done, err
	}
	done.Entry = entry.Name
	var change clients.Change
	if f.undo {
		change, err = c.Disconnect(at.File, within, entry)
	} else {
		if done.URL = entry.URL; entry.URL == "" {
			done.Command = append([]string{entry.Command}, entry.Args...)
		}
		change, err = c.Connect(at.File, within, entry)
	}
	if err != nil {
		return done, clientError(err)
	}
	if !f.undo && entry.URL == "" {
		if done.Warnings, err = a.limits(ctx, c, entry.Name); err != nil {
			return done, err
		}
	}
	if done.Action = change.Action; f.dryRun {
		if change.Action != clients.Unchanged {
			done.Diff = change.Diff()
		}
		return done, nil
	}
	done.Backup, err = change.Apply()
	return done, clientError(err)
}

// clientError marks what is wrong with the command line or the file that it leads to.
func clientError(err error) error {
	switch {
	case isAny(err, clients.ErrBroken):
		return usagef("%w; nothing was changed", err)
	case isAny(err, clients.ErrEntry, clients.ErrPlace, clients.ErrTaken, clients.ErrUnknown):
		return usageError{err}
	}
	return err
}

// limits says which tools of the space the client will not take as they are.
func (a *app) limits(ctx context.Context, c clients.Client, entry string) (warnings []string, err error) {
	home, err := a.homeDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(home); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing is installed, and connecting makes no home
	}
	err = a.withTools(ctx, func(_ *registry.Registry, _ *host.Host, _ []registry.Installation, tools []host.Tool) error {
		var names []string
		for _, t := range tools {
			names = append(names, t.Name)
		}
		warnings = c.Warnings(entry, names)
		return nil
	})
	return warnings, err
}

func (a *app) sayConnected(c connection) error {
	if a.json {
		return a.printJSON(c)
	}
	for _, line := range c.Diff {
		if _, err := fmt.Fprintln(a.stdout, capabilities.Printable(strings.ReplaceAll(line, "\t", "    "), maxSentence)); err != nil {
			return err
		}
	}
	a.sayDone(c)
	return nil
}

func (a *app) sayDone(c connection) {
	a.say("%s", c.sentence())
	for _, w := range c.Warnings {
		a.say("warning: %s", w)
	}
}

// sentence says what was done to a client.
func (c connection) sentence() string {
	what := "starts " + strings.Join(c.Command, " ")
	if c.URL != "" {
		what = "calls " + c.URL
	}
	text := ""
	switch {
	case c.Action == clients.Removed && c.DryRun:
		return fmt.Sprintf("%s would be disconnected; nothing was changed", c.Client)
	case c.Action == clients.Removed:
		text = fmt.Sprintf("disconnected %s: %s has no entry %s any more", c.Client, c.File, c.Entry)
	case c.Action == clients.Unchanged && c.Command == nil && c.URL == "":
		return fmt.Sprintf("%s has no entry %s: nothing to do (%s)", c.Client, c.Entry, c.File)
	case c.Action == clients.Unchanged:
		return fmt.Sprintf("%s is connected already: it %s (%s)", c.Client, what, c.File)
	case c.DryRun:
		return fmt.Sprintf("%s would be connected: it %s; nothing was changed", c.Client, what)
	default:
		text = fmt.Sprintf("connected %s: it %s (%s)", c.Client, what, c.File)
	}
	if c.Backup != "" {
		text += fmt.Sprintf("; the file from before is %s", filepath.Base(c.Backup))
	}
	switch {
	case c.project && c.Action != clients.Removed:
		return text + "; it names paths of this machine: think before you share it"
	case !c.found:
		return text + fmt.Sprintf("; %s itself was not found on this machine", c.title)
	}
	return text + fmt.Sprintf("; restart %s to see it", c.title)
}

// connectAll connects clients to what was just installed, each whatever becomes of the others, and
// returns the first failure. The install stands.
func (a *app) connectAll(ctx context.Context, names []string) (first error) {
	for _, name := range names {
		done, err := a.connect(ctx, name, connectFlags{})
		if err != nil {
			if first == nil {
				first = notConnected{name, err}
			}
			continue
		}
		a.sayDone(done)
	}
	return first
}

// notConnected is an install that stands, and a client that does not know of it.
type notConnected struct {
	client string
	err    error
}

func (n notConnected) Error() string {
	return fmt.Sprintf("installed, but %s is not connected: %v", n.client, n.err)
}
func (n notConnected) Unwrap() error { return n.err }

// checkClients refuses names of clients before anything is done for them.
func checkClients(names []string) error {
	for _, name := range names {
		if _, err := clients.Find(name); err != nil {
			return usageError{fmt.Errorf("--connect: %w", err)}
		}
	}
	return nil
}
