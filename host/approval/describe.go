package approval

import (
	"fmt"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
)

// Description is a servlet file as inspect shows it: as JSON, the manifest's own fields and these.
type Description struct {
	capabilities.Manifest
	// Publisher stands in for the manifest's field of that name: the id of the key, which is what is
	// pinned, shown and compared. The key itself is Key.
	Publisher   string               `json:"publisher"`
	Key         string               `json:"key"`
	Digest      string               `json:"digest"`   // SHA-256 of the file
	Verified    bool                 `json:"verified"` // always true: nothing else is described
	Development bool                 `json:"development"`
	BuiltIn     bool                 `json:"built_in,omitempty"` // into this binary
	Imports     []string             `json:"imports"`            // "module.name"
	Powers      []capabilities.Power `json:"powers"`
	Start       Start                `json:"start"`
}

// Start is how calls of a servlet get their instances, as far as that is known.
type Start struct {
	sandbox.Start
	// Prepared says that the servlet's initialisation has run. Before that Rung is the best that its
	// code allows.
	Prepared bool `json:"prepared"`
	// Problem is why no call can run, in one sentence with the command that mends it; then nothing else
	// is known. Empty: none.
	Problem string `json:"problem,omitempty"`
}

// Prepared is what came of preparing an installed servlet.
func Prepared(s sandbox.Start, err error) Start {
	if err != nil {
		return Start{Problem: err.Error()}
	}
	return Start{Start: s, Prepared: true}
}

// Scanned is what the code of a candidate alone tells. None of it runs.
func Scanned(engine *sandbox.Engine, c *Candidate) (Start, error) {
	rung, why, err := engine.Scan(c.admitted)
	if err != nil {
		return Start{}, fmt.Errorf("reading %s: %w", shown(c.Source), err)
	}
	return Start{Start: sandbox.Start{Rung: rung, Reason: why}}, nil
}

// Describe describes a verified servlet. granted is nil before it is installed.
func Describe(c *Candidate, granted *capabilities.Rights, start Start) Description {
	m := c.Servlet.Manifest()
	imports := c.Imports
	if imports == nil {
		imports = []string{}
	}
	return Description{
		Manifest:    m,
		Publisher:   c.Servlet.KeyID(),
		Key:         m.Publisher,
		Digest:      c.Servlet.Digest(),
		Verified:    true,
		Development: m.Development(),
		BuiltIn:     c.BuiltIn(),
		Imports:     imports,
		Powers:      capabilities.Powers(m, c.Kinds, granted),
		Start:       start,
	}
}
