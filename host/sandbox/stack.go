package sandbox

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// stackLimit bounds what the nested calls of a guest take of the runtime's stack, bytes. That stack is
// the host's memory, and it grows by doubling. Above freeStack it counts as memory of the guest.
const stackLimit = 4 << 20

// maxStack bounds the stack that a function keeps for the next call, bytes. A deep recursion leaves more.
const maxStack = 128 << 10

// entry is a function of an instance with the stack that the runtime made for it, which grows with the
// first call and is kept: a new one for each call is what the host's garbage collector had most work with.
type entry struct {
	name  string
	call  api.Function
	stack reflect.Value // invalid: not found
}

// function returns an exported function; nil: there is none.
func (in *instance) function(name string) api.Function {
	for _, e := range in.entries {
		if e.name == name {
			return e.call
		}
	}
	call := in.module.ExportedFunction(name)
	if call == nil {
		return nil
	}
	in.entries = append(in.entries, entry{name: name, call: call, stack: stackOf(call)})
	return call
}

// stackOf finds the stack of a function of the runtime, which has no call that tells. A later runtime
// that has none, or calls it otherwise, fails TestStackIsWiped and TestInventoryOfTheRuntime; its
// functions are made anew for each call.
func stackOf(call api.Function) (stack reflect.Value) {
	defer func() {
		if recover() != nil {
			stack = reflect.Value{}
		}
	}()
	stack = reflect.ValueOf(call).Elem().FieldByName("stack")
	_ = stack.Bytes()
	return stack
}

// wipe clears the stacks of functions that were called. No instruction reads what another call left
// there, unless the compiler has a bug: then it reads zeros.
func (in *instance) wipe() {
	kept := in.entries[:0]
	for _, e := range in.entries {
		if !e.stack.IsValid() {
			continue
		}
		stack := e.stack.Bytes()
		if len(stack) > maxStack {
			continue
		}
		clear(stack)
		kept = append(kept, e)
	}
	clear(in.entries[len(kept):])
	in.entries = kept
}

// shed gives up the large stacks of functions that were called.
func (in *instance) shed() {
	in.entries = slices.DeleteFunc(in.entries, func(e entry) bool { return e.stack.IsValid() && e.stack.Len() > maxStack })
}

// restack tells the guest what is really left of its stack. Metered code counts each call for more than
// it can take, most of them for ten times as much, and asks when its count says that nothing is left.
func (r *run) restack(view []uint64) {
	used, ok := r.in.stackUsed(view)
	if !ok || used > stackLimit {
		r.stopAt(LimitDepth, fmt.Sprintf("the servlet ended because its nested calls wanted more than the %s of stack that a call has", size(stackLimit)))
	}
	if used > r.deepest {
		r.deepen(used)
	}
	r.in.stack.Set(uint64(r.deepest - used))
}

// stackUsed is how much of the stack lies above the arguments that a host function was called with, which
// are at its end. It grows downwards. The runtime's interpreter keeps no such stack, and no stack of ours
// has the arguments in it then.
func (in *instance) stackUsed(view []uint64) (n int64, ok bool) {
	in.view = view // package reflect finds its address there without a copy
	at := reflect.ValueOf(&in.view).Elem().Pointer()
	in.view = nil
	for _, e := range in.entries {
		if !e.stack.IsValid() {
			continue
		}
		from, size := e.stack.Pointer(), uintptr(e.stack.Len())
		if from <= at && at <= from+size {
			return int64(from + size - at), true
		}
	}
	return 0, false
}
