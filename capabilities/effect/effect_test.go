package effect_test

import (
	"fmt"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
)

// The numbers are the guest's interface: a servlet that was built once must go on reading them.
func TestNumbersNeverChange(t *testing.T) {
	for i, code := range []effect.Code{effect.OK, effect.Denied, effect.Invalid, effect.NotFound, effect.Limit,
		effect.Unavailable, effect.Conflict, effect.Unsupported, effect.Cancelled, effect.Internal, effect.Running} {
		if int(code) != i {
			t.Errorf("code %d is %d", i, code)
		}
	}
	for errno, want := range map[effect.Errno]int{
		effect.Success: 0, effect.ErrAccess: 2, effect.ErrBadFD: 8, effect.ErrDQuot: 19, effect.ErrExist: 20, effect.ErrFBig: 22,
		effect.ErrInval: 28, effect.ErrIO: 29, effect.ErrIsDir: 31, effect.ErrLoop: 32, effect.ErrMFile: 33, effect.ErrNameLong: 37,
		effect.ErrNoEnt: 44, effect.ErrNoSpc: 51, effect.ErrNoSys: 52, effect.ErrNotDir: 54, effect.ErrNotEmpty: 55,
		effect.ErrNotSup: 58, effect.ErrPerm: 63, effect.ErrRoFS: 69, effect.ErrXDev: 75, effect.ErrNotCap: 76,
	} {
		if int(errno) != want {
			t.Errorf("errno %d, want %d", errno, want)
		}
	}
}

func TestErrorSaysItsCode(t *testing.T) {
	err := &effect.Error{Code: effect.Denied, Text: "docs: not granted"}
	if got, want := fmt.Sprint(err), "docs: not granted (code 1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
