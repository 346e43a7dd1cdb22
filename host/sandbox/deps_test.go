package sandbox_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/tetratelabs/wazero":                    "the runtime; this is its one room",
			"github.com/tetratelabs/wazero/api":                "its values and functions",
			"github.com/tetratelabs/wazero/experimental":       "memories of our own, and a validator that compiles nothing",
			"github.com/writ-run/writ/capabilities":            "the kinds a module has imports of",
			"github.com/writ-run/writ/capabilities/effect":     "what a guest asks for, and the answers",
			"github.com/writ-run/writ/capabilities/strictjson": "the one reader of what a guest writes as JSON",
			"github.com/writ-run/writ/host/sandbox/codecache":  "where compiled code outlives the process",
			"github.com/writ-run/writ/host/sandbox/extism":     "what plug-ins of another host expect",
			"github.com/writ-run/writ/host/sandbox/image":      "the memory of instances",
			"github.com/writ-run/writ/host/wasm":               "the gate and the meter",
		},
		Deny: map[string]string{
			"net":       "a guest reaches the network through its Host only",
			"net/":      "a guest reaches the network through its Host only",
			"os/exec":   "no process is started",
			"unsafe":    "the guest's memory is reached with bounds checks only",
			"math/rand": "a guest's randomness is the system's",
			"github.com/writ-run/writ/capabilities/guard": "the sandbox knows its Host by its messages",
		},
	})
}
