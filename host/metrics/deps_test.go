package metrics_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{"os": "listeners are given: nothing here opens one", "os/exec": "no process is started", "unsafe": "nothing here needs it"},
	})
}
