// Package approval is what a person is asked before a servlet may run, and carries out the answer:
// it reads and verifies a servlet file without running any of it, works out what the answer would
// grant, draws the screen, and installs exactly what was shown.
//
// The life of an approval:
//
//  1. [Read] takes the file's bytes once, verifies them and keeps them: a [Candidate].
//  2. A [Choice] says what the operator gives: named on flags, or narrowed in a [Session].
//  3. [Propose] resolves both against this home: a [Plan], with the text and its digest.
//  4. A person approves the text, or a script approves the digest.
//  5. [Install] makes the plan again and commits it only if the digest is still the same.
//
// [ProposeGrant] and [Regrant] do the same for what is installed already, [ProposeUpgrade] and [Upgrade]
// for a newer file in its place.
package approval

import (
	"encoding/json"
	"errors"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
	"github.com/writ-run/writ/host/sandbox"
)

// Errors that a caller may tell apart. The texts that wrap them say what to do.
var (
	// ErrPlanChanged is an approval of a plan that is no longer the one that would be carried out.
	ErrPlanChanged = errors.New("the plan changed since it was shown: run --plan again")
	// ErrDigest is an approval that is no digest of any plan: it has not 64 lower-case hex digits.
	ErrDigest = errors.New("not the digest of a plan")
	// ErrDanger is a choice that is only accepted when it is named as a danger.
	ErrDanger = errors.New("dangerous")
	// ErrNeedsApproval is a change that would widen a grant, made without an approved digest.
	ErrNeedsApproval = errors.New("gives more than before and needs approval")
	// ErrUpToDate is an upgrade to the file that is installed.
	ErrUpToDate = errors.New("up to date")
	// ErrSameNumber is a file that is not the installed one and has its number. It is registry.ErrRollback too.
	ErrSameNumber = errors.New("another file under the same number")
	// ErrExpired is a file that its publisher no longer wants installed.
	ErrExpired = errors.New("expired")
)

// MaxFile is the largest servlet file, in bytes.
const MaxFile = 64 << 20

// Candidate is a servlet file that was read once, verified and gated. No guest code ran.
type Candidate struct {
	Servlet capabilities.Servlet
	Source  string // as the operator named it
	Kinds   []capabilities.Kind
	Imports []string

	admitted sandbox.Admitted
	file     []byte
}

// Directory is a directory the operator chose. Path may be relative, or begin with "~/".
type Directory struct {
	Path     string
	ReadOnly bool

	// accepted is set where the path comes from a grant: it was approved then, with its danger.
	accepted bool
}

// Choice is what the operator named: on flags, or by narrowing on the screen. Nothing is granted
// that it does not name, but for two kinds that give nothing by themselves: config keys (a key reads
// what the operator sets for it) and secrets that only Writ uses, in requests that were allowed.
type Choice struct {
	Space  string               // empty: the caller's
	As     string               // alias; empty: derived from the servlet's name
	Tools  []string             // nil: none; {"*"} all
	Allow  []string             // capability ids: http ids, "kv"
	Dirs   map[string]Directory // fs id -> directory
	Hosts  map[string]string    // http id -> origin, for origin "user"
	Danger []string             // what needs the word: "web", "secret:KEY" of use guest, fs ids with a sensitive directory
	Dev    bool                 // accept a build signed with this home's development key
}

// Plan is what would be installed. Digest binds publisher key, manifest bytes, file bytes, the
// resolved grant, alias, space and Text. Text has no fact that changes by itself (the number of files
// in a directory, the time), so that a plan which nothing touched keeps its digest.
type Plan struct {
	Alias       string               `json:"alias"`
	Space       string               `json:"space"`
	Name        string               `json:"name"`
	Version     string               `json:"version"`
	Publisher   string               `json:"publisher"` // key id
	Known       bool                 `json:"publisher_known"`
	Development bool                 `json:"development,omitempty"`
	BuiltIn     bool                 `json:"built_in,omitempty"` // into this binary
	File        string               `json:"file_sha256"`
	Manifest    string               `json:"manifest_sha256"`
	Rights      capabilities.Rights  `json:"rights"`
	Powers      []capabilities.Power `json:"powers"`
	Missing     []string             `json:"missing,omitempty"` // what was asked and not named: "fs docs: --dir docs=PATH"
	Warnings    []string             `json:"warnings,omitempty"`
	// Widens names the first right that the grant in force lacks; empty when the plan only narrows it.
	// Only ProposeGrant and ProposeUpgrade set it.
	Widens string `json:"widens,omitempty"`
	// Unchanged says that the grant in force is this one already. Only ProposeGrant sets it.
	Unchanged bool `json:"unchanged,omitempty"`
	// Upgrade is what would be replaced. Only ProposeUpgrade sets it.
	Upgrade *Replaced `json:"upgrade,omitempty"`
	Text    string    `json:"text"`   // the screen at 80 columns without colour
	Digest  string    `json:"digest"` // hex SHA-256

	view  screen.View
	rows  []row
	tools []screen.Tool
	rest  json.RawMessage // the manifest without its tools
}

// Screen draws the plan for a terminal of width columns. At screen.Width without color it is Text.
func (p Plan) Screen(width int, color bool) string { return screen.Draw(p.view, width, color) }

// Details draws every text that the AI will be told: as signed where a summary would not hold all of it.
func (p Plan) Details(width int, color bool) string {
	return screen.Details(p.tools, width, color)
}

// Signed draws all that was signed, to the last byte.
func (p Plan) Signed(width int, color bool) string {
	return screen.Signed(p.tools, p.rest, width, color)
}

// subject is what a plan is about: a verified servlet, as far as planning reads it.
type subject struct {
	manifest capabilities.Manifest
	tools    []capabilities.Tool
	kinds    []capabilities.Kind
	keyID    string
	digest   string // of the manifest
	file     string // digest of the file
}

func (c *Candidate) subject() subject {
	return subject{
		manifest: c.Servlet.Manifest(),
		tools:    c.Servlet.Tools(),
		kinds:    c.Kinds,
		keyID:    c.Servlet.KeyID(),
		digest:   c.Servlet.ManifestDigest(),
		file:     c.Servlet.Digest(),
	}
}
