package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox/image"
)

// snapshot is all that an instance is after its initialisation.
type snapshot struct {
	image      *image.Image
	globals    []uint64
	clock      int64            // where the monotonic clock stood; it never runs backwards
	preopens   []effect.Preopen // what init saw
	generators []int            // offsets of generators that get fresh seeds before each call
	drawn      int              // random bytes that init and warm-up asked for
	frozen     int              // bytes that differ between two captures and are in no generator
	taken      time.Time
}

// What a capture may use. It runs no caller's input, so nobody's limits bound it but the memory's.
const (
	captureWall = 10 * time.Second
	captureFuel = 1 << 31
)

// skew shifts the clocks of the second of two captures, so that what init read of them shows.
const skew = int64(time.Hour + time.Second)

// errCapture is a fault of the host's own.
var errCapture = errors.New("the host failed while it took the image")

// capture initialises and warms up two instances, and makes a snapshot of the first. What differs in
// the second comes from the randomness and the clocks that they were given: in the snapshot it would be
// the same for every call. atOnce takes two processors for as long as a call waits for the snapshot.
func (c *Code) capture(ctx context.Context, preopens []effect.Preopen, memory int64, atOnce bool) (*snapshot, error) {
	var second *instance
	var secondErr error
	again := func() {
		defer func() {
			if p := recover(); p != nil {
				c.engine.logger.Error("capture panicked", "panic", p)
				secondErr = errCapture
			}
		}()
		second, _, secondErr = c.initialise(ctx, preopens, memory, skew)
	}
	var work sync.WaitGroup
	if atOnce {
		work.Go(again)
	}
	first, r, err := c.initialise(ctx, preopens, memory, 0)
	work.Wait()
	if err == nil && !atOnce {
		again()
	}
	if first != nil {
		defer first.discard()
	}
	if second != nil {
		defer second.discard()
	}
	if err = cmp.Or(err, secondErr); err != nil {
		return nil, err
	}

	shot := &snapshot{preopens: preopens, drawn: r.drawn, clock: r.clock(clockMonotonic), taken: time.Now()}
	for _, g := range first.globals {
		shot.globals = append(shot.globals, g.Get())
	}
	one, two := contents(first), contents(second)
	if shot.generators, shot.frozen, err = c.engine.compare(ctx, one, two); err != nil {
		return nil, err
	}
	if shot.image, err = c.engine.space.Seal(one); err != nil {
		return nil, err
	}
	for i, g := range second.globals {
		if g.Get() != shot.globals[i] {
			shot.frozen += 8
		}
	}
	return shot, nil
}

// contents is the memory of an instance that does not run.
func contents(in *instance) []byte {
	mem := in.module.Memory()
	p, _ := mem.Read(0, mem.Size())
	return p
}

// initialise makes an instance ready to be captured. Whatever it asks the host for but input, log,
// clocks and randomness is refused.
func (c *Code) initialise(ctx context.Context, preopens []effect.Preopen, memory, skew int64) (*instance, *run, error) {
	r := c.newRun(ctx, Call{Entry: EntryWarm, Host: denied{preopens: preopens}, Limits: Limits{
		Memory: memory, Wall: captureWall, Output: 1 << 20, HostCalls: 1 << 20, Fuel: captureFuel,
	}})
	defer r.end()
	r.skew = skew
	in, tables := c.warm(r)
	if r.fault == nil && in == nil {
		r.fault = &Fault{Kind: FaultHost, Text: "the host failed while it took the image"}
	}
	if r.fault == nil && in.memory.Refused() == image.OverAll {
		// It made do with less, and so would all calls that start from it.
		r.fault = r.full(image.ErrFull)
	}
	if r.fault == nil && !slices.Equal(tables, tableState(in.module)) {
		r.fault = &Fault{Kind: FaultABI, Text: "its initialisation changes tables or drops segments, which an image does not hold"}
	}
	if r.fault == nil && r.foreign != nil && r.foreign.Held() {
		r.fault = &Fault{Kind: FaultABI, Text: "its initialisation keeps blocks or variables of the host, which an image does not hold"}
	}
	if r.fault == nil {
		return in, r, nil
	}
	if in != nil {
		in.discard()
	}
	return nil, nil, &captureError{*r.fault}
}

// warm runs init and warm-up in a new instance. It returns the state of the tables from before.
func (c *Code) warm(r *run) (in *instance, tables []uintptr) {
	defer r.containAll()
	r.openHost()
	if in = c.fresh(r); in == nil {
		return nil, nil
	}
	tables = tableState(in.module)
	if name := c.dialect.warm; !r.boot(in) || name == "" || in.module.ExportedFunction(name) == nil {
		return in, tables
	}
	r.enter(in)
	return in, tables
}

// captureError is why no image was taken.
type captureError struct{ fault Fault }

func (e *captureError) Error() string {
	return fmt.Sprintf("init or warm-up failed: %s", capabilities.Printable(e.fault.Text, 160))
}

// passing tells whether another try later may succeed: what ended the capture depends on what else the
// host did then.
func passing(err error) bool {
	var failed *captureError
	if errors.As(err, &failed) {
		f := failed.fault
		return f.Kind == FaultCancelled || f.Kind == FaultDeadline || f.Limit == LimitMemoryTotal
	}
	return errors.Is(err, image.ErrFull)
}

// tableState is what an instance's tables and droppable segments are, to be compared with the same
// later: of each the length, and of tables what is in them. The runtime has no call that tells; its
// instance has exported fields. When a later runtime has others, no two states are equal, and modules
// stay on rung plain.
func tableState(mod api.Module) (state []uintptr) {
	defer func() {
		if p := recover(); p != nil {
			state = []uintptr{uintptr(unknownStates.Add(1))}
		}
	}()
	v := reflect.ValueOf(mod).Elem()
	for _, table := range v.FieldByName("Tables").Seq2() {
		refs := table.Elem().FieldByName("References").Interface().([]uintptr)
		state = append(append(state, uintptr(len(refs))), refs...)
	}
	for _, name := range []string{"DataInstances", "ElementInstances"} {
		segments := v.FieldByName(name)
		state = append(state, uintptr(segments.Len()))
		for i := range segments.Len() {
			state = append(state, uintptr(segments.Index(i).Len()))
		}
	}
	return state
}

var unknownStates atomic.Uint64
