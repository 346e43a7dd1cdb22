package host

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// refusal is a call that ends in an answer of the host's own. text reaches the model: it holds no
// path, address or secret of this machine; reason goes to the audit.
type refusal struct {
	status Status
	limit  Limit // that was reached; empty: none
	text   string
	reason string
	retry  time.Duration // after which it may be tried again; 0: not known
}

func (r *refusal) Error() string { return r.text }

func refuse(status Status, text, reason string) *refusal {
	return &refusal{status: status, text: text, reason: reason}
}

// refuseAt is a call that ends at a limit.
func refuseAt(limit Limit, status Status, text, reason string) *refusal {
	return &refusal{status: status, limit: limit, text: text, reason: reason}
}

// problem is what keeps a servlet from running, and the command that mends it.
type problem struct {
	why    string
	mend   string
	reason string // for the audit
}

// sentence explains a problem of a tool to a model, which passes it on to a person.
func (p problem) sentence(tool string) string {
	return fmt.Sprintf("%s is not ready: %s. Mend it with: %s", tool, p.why, p.mend)
}

func (p problem) refuse(tool string) error {
	return refuse(StatusDenied, p.sentence(tool), p.reason)
}

// command is a line to type, for the space of an installation.
func command(in registry.Installation, format string, args ...any) string {
	return commandIn(in.Space, format, args...)
}

func commandIn(space, format string, args ...any) string {
	line := "writ " + fmt.Sprintf(format, args...)
	if space != "" && space != capabilities.DefaultSpace {
		line += " --space " + space
	}
	return line
}

// unreadable is a servlet file that is gone, changed on disk, or no longer let through by this Writ.
func unreadable(in registry.Installation, err error) problem {
	why := "its file is damaged or missing"
	switch {
	case errors.Is(err, capabilities.ErrNewer):
		why = "it needs a newer Writ"
	case errors.Is(err, sandbox.ErrCompile):
		why = "its code cannot be compiled"
		if _, reason, ok := strings.Cut(err.Error(), sandbox.ErrCompile.Error()+": "); ok {
			why += ": " + reason
		}
		return problem{why, command(in, "remove %s, then install another version", in.Alias), "compiling: " + err.Error()}
	}
	return problem{why, command(in, "remove %s, then install it again", in.Alias), "servlet file: " + err.Error()}
}

// ungranted looks at an installation and its grant alone. It is nil when nothing is wrong with them.
func ungranted(in registry.Installation, s *servlet, err error) *problem {
	switch {
	case in.Revoked:
		return &problem{"its grant was revoked", command(in, "grant %s", in.Alias), "revoked"}
	case in.Name != s.manifest.Name || in.Publisher != s.key:
		return &problem{"its file is not the one that was installed", command(in, "remove %s, then install it again", in.Alias), "another servlet"}
	case errors.Is(err, capabilities.ErrGrantMismatch):
		return &problem{"it is not the version that was approved", command(in, "grant %s", in.Alias), "grant mismatch"}
	case err != nil:
		return &problem{"it is not granted", command(in, "grant %s", in.Alias), "not granted"}
	}
	return nil
}

// missingFolder finds the first granted directory that is not there. It only asks whether there is a
// directory: whether it is safe is the guard's to decide, at the call.
func missingFolder(in registry.Installation, rights capabilities.Rights) *problem {
	for _, id := range sortedIDs(rights.FS) {
		right := rights.FS[id]
		if right.Mode == capabilities.ModeNone {
			continue
		}
		if info, err := os.Stat(right.Path); err != nil || !info.IsDir() {
			return &problem{
				fmt.Sprintf("the folder granted as %q is gone", id),
				command(in, "grant %s --dir %s=PATH", in.Alias, id), "folder missing: " + id,
			}
		}
	}
	return nil
}

func sortedIDs(m map[string]capabilities.FSRight) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// unguarded turns a guard that cannot be made into a problem. It is nil when the fault is the host's.
func unguarded(in registry.Installation, rights capabilities.Rights, err error) *problem {
	if p := missingFolder(in, rights); p != nil && errors.Is(err, guard.ErrDirectoryMissing) {
		return p
	}
	why := ""
	switch {
	case errors.Is(err, guard.ErrDirectoryMissing):
		why = "a granted folder is gone"
	case errors.Is(err, guard.ErrDirectoryUnsafe):
		why = "a granted folder was moved, replaced by a link, or overlaps what Writ keeps for itself or a folder that is granted with another mode"
	default:
		return nil
	}
	id := "ID"
	for _, one := range sortedIDs(rights.FS) {
		// The guard's text begins with the capability that it is about.
		if len(rights.FS) == 1 || strings.Contains(err.Error(), fmt.Sprintf("fs %q: ", one)) {
			id = one
			why = strings.Replace(why, "a granted folder", fmt.Sprintf("the folder granted as %q", one), 1)
			break
		}
	}
	return &problem{why, command(in, "grant %s --dir %s=PATH", in.Alias, id), "folder: " + err.Error()}
}
