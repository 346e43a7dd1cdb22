package clients_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			house.Module + "/cmd/clients/config": "edits what is in a file",
		},
		Deny: map[string]string{
			"net/http": "clients are told, never called", "os/exec": "no client is started", "unsafe": "nothing here needs it",
		},
	})
}
