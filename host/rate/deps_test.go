package rate_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{"golang.org/x/time/rate": "one token bucket; this is its one room"},
		Deny:  map[string]string{"os": "no store", "net": "no network", "unsafe": "names come from outside"},
	})
}
