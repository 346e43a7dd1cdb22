package mcpserver

import (
	"errors"
	"net/http"

	"github.com/writ-run/writ/host/metrics"
)

// errDraining is a server that takes no further requests.
var errDraining = errors.New("the server is ending")

// probe answers /healthz and /readyz, for what starts servers and sends requests to them: that the process
// answers, and that it can serve. Nobody is asked for a key, and nothing else is said. On loopback a web page
// that came there under a name of its own is refused as everywhere.
func (f *front) probe(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
		return false
	}
	server := f.spaces.server
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "send GET", http.StatusMethodNotAllowed)
	case f.listener.IP.IsLoopback() && !f.ownHost(r):
		http.Error(w, "not a host of this server", http.StatusMisdirectedRequest)
	case r.URL.Path == "/healthz":
		metrics.Healthy(w, r)
	case !server.Ready():
		if !f.draining.Swap(true) {
			f.logger.Warn("not ready", "error", errDraining)
		}
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	default:
		f.storeReady(w, r)
	}
	return true
}
