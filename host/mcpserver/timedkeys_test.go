package mcpserver_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// stuckKeys do not come back, whatever their context says.
type stuckKeys struct {
	*registry.Registry
	free chan struct{}
}

func (k stuckKeys) Authenticate(ctx context.Context, text string) (registry.AccessKey, error) {
	<-k.free
	return k.Registry.Authenticate(ctx, text)
}

func TestKeysThatCannotBeCheckedLetNobodyIn(t *testing.T) {
	r := registrytest.Open(t)
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	free := make(chan struct{})
	steps := make(chan deadline.Step, 10)
	stuck := mcpserver.InTime(stuckKeys{r, free}, 20*time.Millisecond, func(_ deadline.Phase, s deadline.Step) { steps <- s })
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: stuck})
	if res, body := ask(t, address, "/mcp", "Authorization: Bearer "+key); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	for _, want := range []deadline.Step{deadline.Warned, deadline.Cancelled, deadline.Left} {
		if got := <-steps; got != want {
			t.Errorf("step %d, want %d", got, want)
		}
	}
	close(free)
	// The same key, in time: it was the time that kept it out.
	address = serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: mcpserver.InTime(r, time.Minute, nil)})
	if res, body := ask(t, address, "/mcp", "Authorization: Bearer "+key); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
}
