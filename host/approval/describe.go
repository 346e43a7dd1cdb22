package approval

import (
	"github.com/writ-run/writ/capabilities"
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
	Imports     []string             `json:"imports"` // "module.name"
	Powers      []capabilities.Power `json:"powers"`
}

// Describe describes a verified servlet. granted is nil before it is installed.
func Describe(c *Candidate, granted *capabilities.Rights) Description {
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
		Imports:     imports,
		Powers:      capabilities.Powers(m, c.Kinds, granted),
	}
}
