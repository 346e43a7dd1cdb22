package capabilities

import (
	"net/netip"
	"time"
)

// Grant is what an operator allowed one servlet in one space. The zero Grant allows nothing.
type Grant struct {
	Servlet   string    `json:"servlet"`   // manifest name
	Publisher string    `json:"publisher"` // key id
	Manifest  string    `json:"manifest"`  // SHA-256 of the signed manifest bytes
	Plan      string    `json:"plan"`      // digest of the plan that was approved, screen text included
	Approver  string    `json:"approver"`
	Approved  time.Time `json:"approved"`
	Rights    Rights    `json:"rights"`
}

// Rights are tools and resources, of a request, a grant or a call. They form a lattice under
// [Subset]; the zero value is its bottom.
type Rights struct {
	Tools  []string             `json:"tools,omitempty"`
	HTTP   map[string]HTTPRight `json:"http,omitempty"` // by capability id
	Web    *WebRight            `json:"web,omitempty"`
	FS     map[string]FSRight   `json:"fs,omitempty"`     // by capability id
	Config []string             `json:"config,omitempty"` // keys
	Secret map[string]string    `json:"secret,omitempty"` // key -> "egress" or "guest"
	KV     *KVRight             `json:"kv,omitempty"`
}

// HTTPRight allows exchanges with one origin.
type HTTPRight struct {
	Origin  string         `json:"origin"` // "user" in a request that lets the operator choose
	Methods []string       `json:"methods"`
	Paths   []string       `json:"paths"`
	Auth    *Auth          `json:"auth,omitempty"`
	Params  []Param        `json:"params,omitempty"`
	Private []netip.Prefix `json:"private,omitempty"` // non-public networks the operator opened
}

// WebRight allows any public page.
type WebRight struct {
	Methods []string `json:"methods"`
}

// FSRight allows one directory. Path is empty in a request and in a call's right that was not granted.
type FSRight struct {
	Guest string `json:"guest"`
	Path  string `json:"path,omitempty"` // absolute, clean, of this host
	Mode  Mode   `json:"mode"`
}

// KVRight allows a store of own data.
type KVRight struct {
	QuotaKB  int    `json:"quota_kb"`
	Scope    string `json:"scope"`
	ReadOnly bool   `json:"read_only,omitzero"`
}

// Policy is everything one call may do: manifest ∩ grant ∩ uses[tool]. The zero Policy refuses.
type Policy struct {
	Caller   Caller
	Servlet  string // manifest name
	Alias    string
	Tool     string
	Rights   Rights            // what the call has
	Preopens []FSRight         // every directory of the manifest in order; those not granted have ModeNone
	Values   map[string]string // config values of the keys in Rights.Config: set by the operator, else the default
	Limits   Limits
}
