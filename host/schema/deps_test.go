package schema_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			house.Module + "/capabilities":             "schema text is escaped before it is in an error",
			house.Module + "/capabilities/strictjson":  "one reading of JSON",
			"github.com/santhosh-tekuri/jsonschema/v5": "validates; this is the only room that knows it",
		},
		Deny: map[string]string{
			"net": "nothing is fetched", "net/http": "nothing is fetched", "os": "nothing is read from a disk",
			"os/exec": "nothing is started", "unsafe": "untrusted input",
		},
	})
}
