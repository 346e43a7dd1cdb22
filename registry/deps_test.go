package registry_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"go.etcd.io/bbolt":                                 "the store of one machine; this is its one room and no type of it leaves",
			"go.etcd.io/bbolt/errors":                          "its errors",
			"golang.org/x/sys/windows":                         "LockFileEx",
			"github.com/writ-run/writ/capabilities":            "who calls, and what was granted",
			"github.com/writ-run/writ/capabilities/strictjson": "one reading of every record",
			"github.com/writ-run/writ/registry/vault":          "encrypts secrets",
		},
		Deny: map[string]string{
			"net": "state reaches no network", "net/http": "state reaches no network", "os/exec": "no process is started", "unsafe": "nothing here needs it",
			"math/rand": "keys and ids are not guessable", "math/rand/v2": "keys and ids are not guessable",
		},
	})
}
