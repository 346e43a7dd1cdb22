package download_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{
			"os":        "what comes is kept in memory: nothing can be left behind, or changed before it is used",
			"os/exec":   "no process is started",
			"unsafe":    "nothing here needs it",
			"io/ioutil": "superseded",
		},
	})
}
