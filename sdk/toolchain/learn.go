package toolchain

import "github.com/writ-run/writ/capabilities"

// Unrequested is the id that stands in a learning build for a capability that servlet.toml does not request.
// It is used by no tool, so that no call ever has it, whatever was granted.
const Unrequested = "unrequested"

// unrequestedKey is the same for a configuration key.
const unrequestedKey = "UNREQUESTED"

// everyKind adds to what is requested a stand-in of each kind that is not. The module may then import every
// kind, and what a call asks for without a request comes before a guard, which refuses and records it.
func everyKind(c capabilities.Capabilities) capabilities.Capabilities {
	if len(c.HTTP) == 0 {
		c.HTTP = []capabilities.HTTP{{ID: Unrequested, Origin: capabilities.UserOrigin, Methods: []string{"GET"}, Paths: []string{"/"}}}
	}
	if c.Web == nil {
		c.Web = &capabilities.Web{Methods: []string{"GET"}}
	}
	if len(c.FS) == 0 {
		c.FS = []capabilities.FS{{ID: Unrequested + "-files", Guest: "/" + Unrequested, Mode: capabilities.ModeRead}}
	}
	if len(c.Config) == 0 {
		c.Config = []capabilities.Config{{Key: unrequestedKey}}
	}
	if c.KV == nil {
		c.KV = &capabilities.KV{QuotaKB: 1, Scope: "caller"}
	}
	return c
}
