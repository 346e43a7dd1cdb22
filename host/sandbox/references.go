package sandbox

import (
	"fmt"
	"reflect"

	"github.com/tetratelabs/wazero/api"
)

// maxReferences bounds the function references that one instance makes. The runtime allocates 40 bytes
// for each ref.func that a guest executes and keeps them as long as the instance, in memory that no
// limit counts: a loop of it took 180 MiB in a second.
const maxReferences = 1 << 16

// referencesOf counts what an instance of the runtime made. The runtime has no call that tells. A later
// one without the field fails TestInventoryOfTheRuntime and TestReferenceBomb.
func referencesOf(mod api.Module) (n int) {
	defer func() {
		if recover() != nil {
			n = 0
		}
	}()
	engine := reflect.ValueOf(mod).Elem().FieldByName("Engine").Elem().Elem()
	return engine.FieldByName("localFunctionInstances").Len()
}

// checkReferences ends a guest that makes references without end.
func (r *run) checkReferences() {
	if referencesOf(r.in.module)-r.in.references > maxReferences {
		r.stop(FaultLimit, fmt.Sprintf("the servlet made more than %d function references", maxReferences))
	}
}

// swollen tells whether an instance made so many references that it is not worth keeping.
func (in *instance) swollen() bool { return referencesOf(in.module)-in.references > maxReferences/16 }
