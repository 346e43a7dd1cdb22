package capabilities

import "encoding/json"

// Schema is the version of the manifest that this binary writes. New fields mean a new version.
const Schema = "writ/1"

// The guest interfaces that this binary runs.
const (
	ABI       = "writ1"   // of every servlet that "writ build" makes of source (sdk/ABI.md)
	ABIExtism = "extism1" // of plug-ins that were made with an Extism PDK (sdk/EXTISM.md)
)

// Manifest is what a publisher signs: what the servlet is, the whole surface that a model will see,
// and everything it may ever ask for.
type Manifest struct {
	Schema      string `json:"schema"`
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
	// Seq, Issued and Expires are set by signing. All three are absent from a development build,
	// which installs only with --dev.
	Seq       uint64 `json:"seq,omitzero"`
	Issued    string `json:"issued,omitempty"`
	Expires   string `json:"expires,omitempty"`
	Publisher string `json:"publisher"` // "ed25519:" + the public key, strict base64

	Module       Module              `json:"module"`
	Tools        []json.RawMessage   `json:"tools,omitempty"`
	Prompts      []json.RawMessage   `json:"prompts,omitempty"`
	Resources    []json.RawMessage   `json:"resources,omitempty"`
	Skills       []json.RawMessage   `json:"skills,omitempty"`
	Uses         map[string][]string `json:"uses,omitempty"`
	Capabilities Capabilities        `json:"capabilities"`
	Limits       Limits              `json:"limits"`

	names []string // of Tools; set by parsing, so that a call need not read every tool again
}

// Module names the bytes that the manifest speaks for.
type Module struct {
	SHA256 string `json:"sha256"` // hex, of the file without its envelope section
	Size   int64  `json:"size"`   // bytes, of the same
	ABI    string `json:"abi"`
}

// Capabilities is everything a servlet asks for. What it leaves out it can never have.
type Capabilities struct {
	HTTP    []HTTP   `json:"http,omitempty"`
	Web     *Web     `json:"web,omitempty"`
	FS      []FS     `json:"fs,omitempty"`
	Config  []Config `json:"config,omitempty"`
	Secrets []Secret `json:"secrets,omitempty"`
	KV      *KV      `json:"kv,omitempty"`
	Elicit  *Elicit  `json:"elicit,omitempty"`
}

// Kinds are the kinds of which c asks for something: those of which a module may have an import.
func (c Capabilities) Kinds() []Kind {
	var kinds []Kind
	for _, k := range []struct {
		kind Kind
		asks bool
	}{
		{KindHTTP, len(c.HTTP) > 0}, {KindWeb, c.Web != nil}, {KindFS, len(c.FS) > 0},
		{KindConfig, len(c.Config) > 0}, {KindSecret, len(c.Secrets) > 0}, {KindKV, c.KV != nil},
	} {
		if k.asks {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

// HTTP asks for one exact origin.
type HTTP struct {
	ID      string   `json:"id"`
	Origin  string   `json:"origin"` // "https://host[:port]", or "user": the operator chooses
	Methods []string `json:"methods"`
	Paths   []string `json:"paths"` // whole segments; a trailing "/" means everything below
	Auth    *Auth    `json:"auth,omitempty"`
	Params  []Param  `json:"params,omitempty"`
	Why     string   `json:"why,omitempty"`
}

// Web asks for any public page by full URL, never with a secret.
type Web struct {
	Methods []string `json:"methods"`
	Why     string   `json:"why,omitempty"`
}

// FS asks for one directory. The publisher names where the guest sees it; only the operator names a
// directory of the host.
type FS struct {
	ID    string `json:"id"`
	Guest string `json:"guest"`
	Mode  Mode   `json:"mode"`
	Why   string `json:"why,omitempty"`
}

// Config asks for one value that the operator may set.
type Config struct {
	Key     string `json:"key"`
	Default string `json:"default,omitempty"`
	Why     string `json:"why,omitempty"`
}

// The uses of a secret.
const (
	SecretEgress = "egress" // the host puts it into requests; the guest never holds it
	SecretGuest  = "guest"  // the guest reads it
)

// Secret asks for a value that the host injects at egress, or hands to the guest ("guest", DANGER).
type Secret struct {
	Key string `json:"key"`
	Use string `json:"use"` // "egress" or "guest"
	Why string `json:"why,omitempty"`
}

// The scopes of what a servlet keeps.
const (
	ScopeSpace  = "space"  // one for all callers of the space
	ScopeCaller = "caller" // one for each caller
)

// KV asks for a store of the servlet's own data.
type KV struct {
	QuotaKB int    `json:"quota_kb"`
	Scope   string `json:"scope"` // "space" or "caller"
	Why     string `json:"why,omitempty"`
}

// Elicit asks to put questions to the person at the client, during a call.
type Elicit struct {
	Modes []string `json:"modes"` // "form", "url"
	Why   string   `json:"why,omitempty"`
}

// Auth says how a secret reaches the granted origin. The schema has six types; this Writ reads all of
// them and refuses by name those that it does not build.
//
//	header  name, value          query   name, value
//	basic   user, secret         hmac    name (header), secret
//	sigv4   name (service), user (access key id), secret, region
//	oauth2  secret, scopes
type Auth struct {
	Type   string `json:"type"`
	Name   string `json:"name,omitempty"`
	Value  string `json:"value,omitempty"` // with "{secret:KEY}" where the secret goes
	User   string `json:"user,omitempty"`
	Secret string `json:"secret,omitempty"` // a key of Capabilities.Secrets with use "egress"
	Region string `json:"region,omitempty"`
	Scopes string `json:"scopes,omitempty"` // separated by single spaces
}

// Param limits one query parameter of an http capability: one of Values when there are any, and at
// most Max bytes when Max is not zero. Parameters that are not named are not
// limited; one that is named twice has both limits.
type Param struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
	Max    int      `json:"max,omitzero"` // bytes of the value
}

// Limits bound one call. Zero fields take DefaultLimits.
type Limits struct {
	MemoryMB  int `json:"memory_mb,omitzero"`  // linear memory, MiB
	WallMS    int `json:"wall_ms,omitzero"`    // deadline of a call, milliseconds
	HTTPCalls int `json:"http_calls,omitzero"` // exchanges per call
	ResultKB  int `json:"result_kb,omitzero"`  // result of a call, KiB
}

// DefaultLimits are the limits of a manifest that names none.
var DefaultLimits = Limits{MemoryMB: 64, WallMS: 60_000, HTTPCalls: 20, ResultKB: 256}

// Tool is the part of a signed tool object that Writ itself reads. Raw is the whole object, passed
// on byte for byte. ReadOnly and Destructive are the publisher's hints with the defaults of MCP: a
// tool that says nothing is not read-only and may destroy. What a tool can really do is
// [Manifest.Writes].
type Tool struct {
	Name         string
	Title        string
	Description  string
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	ReadOnly     bool
	Destructive  bool
	Raw          json.RawMessage

	closedWorld bool // openWorldHint is false
}
