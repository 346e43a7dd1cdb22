package guard

import (
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// origin is a granted origin that has passed parseOrigin (always https), or that of a page which has
// passed parsePage. Its host is always a name.
type origin struct {
	scheme    string // "https"; of a page also "http"
	authority string // host and port as they stand in a URL, without the default port
}

// machineHosts are names at which clouds or systems serve the machine itself, refused before any
// lookup. The addresses behind them are refused at the dial as well.
var machineHosts = []string{
	"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal", "metadata.azure.internal",
	"metadata.tencentyun.com",
}

// parseOrigin reads an origin in the one spelling that the approval showed. The manifest and the
// approval were checked by the same rules before; this check is the one that stands next to the dial.
func parseOrigin(s string) (origin, bool) {
	canonical, err := capabilities.ParseOrigin(s)
	if err != nil || canonical != s {
		return origin{}, false
	}
	authority := strings.TrimPrefix(canonical, "https://")
	host, _, _ := strings.Cut(authority, ":")
	return origin{scheme: "https", authority: authority}, !slices.Contains(machineHosts, host)
}
