package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host/logging"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/vault"
)

// removal is one thing that Writ put on this machine. Nothing but its fields tells what is removed, so
// that who approved their digest approved all of it.
type removal struct {
	What   string `json:"what"` // entry, backup, secret-key, home
	Path   string `json:"path"`
	Client string `json:"client,omitempty"`
	Entry  string `json:"entry,omitempty"`
}

// leftover is what stays, and why.
type leftover struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// uninstallation is what `writ uninstall` would do, and what --json prints.
type uninstallation struct {
	Removes []removal  `json:"removes"`
	Leaves  []leftover `json:"leaves,omitempty"`
	Binary  string     `json:"binary"` // which is never removed
	Digest  string     `json:"digest"` // of what it removes, for --approve
	Removed bool       `json:"removed"`
}

// madeInHome says what this command's other parts make in a home: the code cache and the log.
func madeInHome(name string, folder bool) bool {
	switch top, rest, _ := strings.Cut(name, "/"); {
	case rest == "":
		return folder && (top == "cache" || top == "logs")
	case top == "logs":
		return !folder && logging.IsPart(rest)
	case top == "cache":
		below, ok := strings.CutPrefix(rest, "code/")
		return folder && rest == "code" || ok && sandbox.MadeInCache(below, folder)
	}
	return false
}

func (a *app) uninstallVerb() *cobra.Command {
	var dryRun bool
	var approve string
	cmd := &cobra.Command{
		Use: "uninstall", Args: takes,
		Short: "List and remove what Writ put on this machine",
		Long: `List what Writ put on this machine and, after you agreed, remove it: its entries
in the clients' files and the copies of those files that it kept, the key of the
secrets in the keyring or in a file, and the home with all servlets, settings,
secrets, what servlets keep, the audit, the logs and the caches. What others
made stays and is listed, in the folders of the home too.

Where nobody can be asked, --dry-run prints the list and its digest, and
--approve DIGEST removes exactly that. The binary is yours to remove: the last
line says how. Entries in projects' files are taken out with
` + "`writ connect CLIENT --project DIR --undo`" + `.`,
		Example: "  writ uninstall --dry-run\n  writ uninstall --dry-run --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dryRun && approve != "" {
				return usagef("--dry-run only shows the list: leave it or --approve out")
			}
			return a.uninstall(cmd.Context(), dryRun, approve)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list what would be removed")
	cmd.Flags().StringVar(&approve, "approve", "", "digest of the list to remove, asking nothing")
	return cmd
}

func (a *app) uninstall(ctx context.Context, dryRun bool, approve string) error {
	home, err := a.homeDir()
	if err != nil {
		return err
	}
	u, err := a.findTraces(ctx, home)
	if err != nil {
		return err
	}
	if dryRun || len(u.Removes) == 0 {
		return a.printUninstallation(u)
	}
	switch {
	case approve != "" && approve != u.Digest:
		return deniedError{errors.New("what would be removed is not what that digest approves: look at --dry-run again; nothing was removed")}
	case approve == "" && !a.interactive():
		return deniedError{errors.New("not asking: this is not a terminal: look at the list with --dry-run, then repeat with --approve DIGEST")}
	case approve == "":
		if err := a.printUninstallation(u); err != nil {
			return err
		}
		answer, err := a.readAnswer(ctx, "This cannot be undone. Type uninstall to remove it, anything else to keep it: ")
		if err != nil || strings.TrimSpace(answer) != "uninstall" {
			a.say("nothing was removed")
			return silent(exitDenied)
		}
	}
	if err := a.remove(ctx, home, u.Removes); err != nil {
		return err
	}
	u.Removed = true
	if a.json {
		return a.printJSON(u)
	}
	a.say("removed %s", counted(len(u.Removes), "thing"))
	a.sayLeft(u)
	return nil
}

// findTraces lists what Writ put on this machine. It changes nothing.
func (a *app) findTraces(ctx context.Context, home string) (uninstallation, error) {
	u := uninstallation{Removes: []removal{}}
	var err error
	if u.Binary, err = binary(); err != nil {
		return u, err
	}
	if err := a.findEntries(home, &u); err != nil {
		return u, err
	}
	traces, err := registry.FindTraces(home, madeInHome)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		if _, there := os.Lstat(home); there == nil {
			u.Leaves = append(u.Leaves, leftover{home, "it is no home of Writ's"})
		}
	case err != nil:
		return u, err
	default:
		a.findSecretKey(ctx, home, &u)
		u.Removes = append(u.Removes, removal{What: "home", Path: home})
		for _, name := range traces.Foreign {
			u.Leaves = append(u.Leaves, leftover{filepath.Join(home, filepath.FromSlash(name)), "Writ did not make it"})
		}
	}
	encoded, err := json.Marshal(u.Removes)
	if err != nil {
		return u, err
	}
	sum := sha256.Sum256(append([]byte("writ uninstall v1\x00"), encoded...))
	u.Digest = hex.EncodeToString(sum[:])
	return u, nil
}

// findSecretKey finds a key of the secrets that is kept outside of the home.
func (a *app) findSecretKey(ctx context.Context, home string, u *uninstallation) {
	err := a.onlyLooking(home, func(reg *registry.Registry) error {
		provider, file, err := reg.SecretKeyPlace(ctx)
		switch {
		case err != nil:
			return err
		case provider == vault.Keyring:
			u.Removes = append(u.Removes, removal{What: "secret-key", Path: vault.Keyring})
		case file != "" && filepath.Dir(filepath.Dir(file)) != filepath.Clean(home):
			if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
				u.Removes = append(u.Removes, removal{What: "secret-key", Path: file})
			}
		}
		return nil
	})
	if err != nil {
		u.Leaves = append(u.Leaves, leftover{"the key of the secrets", fmt.Sprintf("whether it is outside of the home cannot be read: %v", err)})
	}
}

// onlyLooking runs f with a home opened in which nothing changes.
func (a *app) onlyLooking(home string, f func(*registry.Registry) error) error {
	reg, err := registry.Open(home, &registry.Options{ReadOnly: true, Keyring: vault.SystemKeyring(a.getenv)})
	if err != nil {
		return err
	}
	return errors.Join(f(reg), reg.Close())
}

// eraseWait is how long a home may stay in use by others before it is not removed.
const eraseWait = 5 * time.Second

// remove removes what was listed: the clients' entries first, so that none starts Writ again, and the
// home last, which says what else there is.
func (a *app) remove(ctx context.Context, home string, all []removal) error {
	for _, r := range all {
		var err error
		switch r.What {
		case "entry":
			err = a.removeEntry(r)
		case "backup":
			if err = os.Remove(r.Path); errors.Is(err, fs.ErrNotExist) {
				err = nil // taking the entry out brought it back, or removed it
			}
		case "secret-key":
			err = a.onlyLooking(home, func(reg *registry.Registry) error { return reg.ForgetSecretKey(ctx, a.caller()) })
		case "home":
			err = registry.Erase(ctx, r.Path, eraseWait, madeInHome)
		}
		if err != nil {
			return fmt.Errorf("removing the %s %s (what comes after it in the list is still there): %w", r.What, r.Path, err)
		}
	}
	return nil
}

func (a *app) printUninstallation(u uninstallation) error {
	if a.json {
		return a.printJSON(u)
	}
	if len(u.Removes) > 0 {
		var rows [][]string
		for _, r := range u.Removes {
			rows = append(rows, []string{r.What, r.words()})
		}
		if err := a.printTable("REMOVES WHAT", rows); err != nil {
			return err
		}
		a.say("digest %s", u.Digest)
	} else {
		a.say("Writ put nothing on this machine that is left")
	}
	a.sayLeft(u)
	return nil
}

func (a *app) sayLeft(u uninstallation) {
	for _, l := range u.Leaves {
		a.say("stays: %s (%s)", l.Path, l.Why)
	}
	if len(u.Removes) > 0 && !u.Removed {
		a.say("end what runs Writ first: clients that started it, and servers")
	}
	a.say("the binary is %s: remove it as you installed it, by your package manager or with: rm %s", u.Binary, u.Binary)
}

// words describe a thing to a person.
func (r removal) words() string {
	switch r.What {
	case "entry":
		return fmt.Sprintf("%s in %s, which lets %s start Writ", r.Entry, r.Path, r.Client)
	case "backup":
		return r.Path + ", the copy from before Writ changed it"
	case "secret-key":
		if r.Path == vault.Keyring {
			return "the key of the secrets in the keyring"
		}
		return r.Path + ", the key of the secrets"
	}
	return r.Path + ": " + homeSummary(r.Path)
}

// homeSummary says how much a home holds.
func homeSummary(home string) string {
	traces, err := registry.FindTraces(home, madeInHome)
	if err != nil {
		return "all of it"
	}
	return fmt.Sprintf("servlets, settings, secrets, audit, logs and caches, %s, %d kB", counted(len(traces.Own), "file"), folderSize(home)/1000)
}

// sameHome says that two paths name one home, whether it is there or not.
func sameHome(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) || sameFile(a, b) }

// usedHome is the home that an entry without --home, or with it, works on.
func usedHome(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	return usualHome()
}
