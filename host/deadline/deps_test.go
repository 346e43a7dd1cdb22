package deadline_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{"os": "time alone", "net": "time alone", "unsafe": "nothing here needs it"},
	})
}
