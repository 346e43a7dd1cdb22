package trace_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{"os": "pure values", "net": "pure values", "net/http": "pure values", "unsafe": "untrusted input"},
	})
}
