package capabilities

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The grammars of names. All are plain ASCII: no look-alike letter, no case, no dot and no space can
// make two names read the same, and none can start a flag or leave a folder.
var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(/[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)?$`)
	spaceForm  = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	aliasForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,23}$`)
	toolForm   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	keyForm    = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	tokenForm  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$") // RFC 9110, section 5.6.2
	guestForm  = regexp.MustCompile(`^(/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){1,8}$`)
	semverForm = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
	schemaForm = regexp.MustCompile(`^writ/[1-9][0-9]{0,3}$`)
	abiForm    = regexp.MustCompile(`^(writ|extism)[1-9][0-9]{0,3}$`)
	metaForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
)

const maxToolName = 64 // what MCP clients accept, prefix included

// ValidAlias returns nil when alias can prefix tool names: [a-z0-9][a-z0-9-]{0,23}.
func ValidAlias(alias string) error {
	if !aliasForm.MatchString(alias) {
		return errors.New("alias: want 1 to 24 of a-z, 0-9 and \"-\", not starting with \"-\"")
	}
	return nil
}

// ValidSpace returns nil when name can be a space and part of its endpoint's address: [a-z0-9-]{1,32}.
func ValidSpace(name string) error {
	if !spaceForm.MatchString(name) {
		return errors.New("a space is named with 1 to 32 of a-z, 0-9 and -")
	}
	return nil
}

// AliasFor derives an alias from a servlet's name: its last part, cut to 24 characters. A name that
// no manifest can have gives "".
func AliasFor(name string) string {
	if !nameForm.MatchString(name) {
		return ""
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	return strings.TrimRight(last[:min(len(last), 24)], "-")
}

// ToolName is the name by which clients see a tool: alias, "_", tool. Neither part decides the other:
// an alias has no "_", so a name has one reading only.
func ToolName(alias, tool string) (string, error) {
	if err := ValidAlias(alias); err != nil {
		return "", err
	}
	if !toolForm.MatchString(tool) {
		return "", errors.New("tool name: want 1 to 64 of a-z, 0-9 and \"_\", starting with a letter")
	}
	name := alias + "_" + tool
	if len(name) > maxToolName {
		return "", fmt.Errorf("tool name: %s has %d characters and clients accept %d: choose a shorter alias", name, len(name), maxToolName)
	}
	return name, nil
}

// ReservedMeta says that a key of a _meta object is the protocol's or Writ's own, by which a publisher
// or a guest would speak as one of them. The protocol's prefixes have its name as second label
// ("io.modelcontextprotocol/"); before revision 2026-07-28 it could have any place but the last
// ("modelcontextprotocol.io/", "tools.mcp.com/"), and clients of those revisions are served too.
// Source: Model Context Protocol, basic, "_meta".
func ReservedMeta(key string) bool {
	prefix, _, ok := strings.Cut(strings.ToLower(key), "/")
	if !ok {
		return false
	}
	if prefix == "run.writ" || strings.HasPrefix(prefix, "run.writ.") {
		return true
	}
	labels := strings.Split(prefix, ".")
	for i, label := range labels {
		if (label == "mcp" || label == "modelcontextprotocol") && (i < 2 || i < len(labels)-1) {
			return true
		}
	}
	return false
}
