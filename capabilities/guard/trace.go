package guard

import (
	"net/http"

	"github.com/writ-run/writ/capabilities"
)

// Trace names the call to the servers of granted origins, in the headers traceparent and tracestate. The
// zero Trace does not, and then a guest may write the two itself: with its own identifier it tells a server
// nothing that it could not tell in the path.
type Trace struct {
	Parent string // checked by the caller: one line of ASCII
	State  string // likewise; may be empty
}

// attach names the call in a request to a granted origin. A page of the open web is told nothing: nobody
// approved it as one that may tell calls apart.
func (t Trace) attach(req *http.Request, kind capabilities.Kind) {
	if t.Parent == "" || kind != capabilities.KindHTTP {
		return
	}
	req.Header.Set("Traceparent", t.Parent)
	req.Header.Del("Tracestate")
	if t.State != "" {
		req.Header.Set("Tracestate", t.State)
	}
}
