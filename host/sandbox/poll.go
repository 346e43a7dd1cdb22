package sandbox

import (
	"math"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
)

// Layout of poll_oneoff's records.
const (
	subscriptionSize = 48
	eventSize        = 32
	maxSubscriptions = 1024

	eventClock   = 0
	eventFDRead  = 1
	eventFDWrite = 2

	absoluteTime = 1
)

// maxSleep is longer than any call.
const maxSleep = 24 * time.Hour

// event is one answer of poll_oneoff.
type event struct {
	userdata uint64
	errno    effect.Errno
	kind     byte
}

// alarm is a clock subscription: due after a while.
type alarm struct {
	event
	after time.Duration
}

// poll is poll_oneoff(in, out, nsubscriptions, nevents) -> errno. Files are always ready; without one
// the guest sleeps until its first clock, or the end of its time.
func (r *run) poll(a args) effect.Errno {
	n := a.u32(2)
	in, out, count := r.table(a.u32(0), n, subscriptionSize), r.table(a.u32(1), n, eventSize), r.view(a.u32(3), 4)
	if n == 0 || n > maxSubscriptions {
		return effect.ErrInval
	}
	var ready []event
	var alarms []alarm
	for ; len(in) > 0; in = in[subscriptionSize:] { // read whole before anything is written: in and out may overlap
		e := event{userdata: get64(in), kind: in[8]}
		switch e.kind {
		case eventClock:
			after, errno := r.due(in)
			if e.errno = errno; errno != effect.Success {
				ready = append(ready, e)
				continue
			}
			alarms = append(alarms, alarm{e, after})
		case eventFDRead, eventFDWrite:
			e.errno = r.files.known(get32(in[16:]))
			ready = append(ready, e)
		default:
			return effect.ErrInval
		}
	}
	ready = append(ready, r.ring(alarms, len(ready) == 0)...)
	for i, e := range ready {
		p := out[i*eventSize : (i+1)*eventSize]
		clear(p)
		put64(p, e.userdata)
		p[8], p[9], p[10] = byte(e.errno), byte(e.errno>>8), e.kind
	}
	put32(count, uint32(len(ready)))
	return effect.Success
}

// due reads a clock subscription: how long to wait from now.
func (r *run) due(sub []byte) (time.Duration, effect.Errno) {
	clock, timeout, flags := get32(sub[16:]), get64(sub[24:]), get16(sub[40:])
	if clock > clockMonotonic {
		return 0, effect.ErrInval
	}
	at := int64(min(timeout, math.MaxInt64))
	if flags&absoluteTime != 0 {
		at = max(at-r.clock(clock), 0)
	}
	return min(time.Duration(at), maxSleep), effect.Success
}

// ring returns the alarms that are due, after sleeping until the first when wait is set.
func (r *run) ring(alarms []alarm, wait bool) (due []event) {
	var slept time.Duration
	if wait && len(alarms) > 0 {
		slept = alarms[0].after
		for _, al := range alarms {
			slept = min(slept, al.after)
		}
		r.sleep(slept)
	}
	for _, al := range alarms {
		if al.after <= slept {
			due = append(due, al.event)
		}
	}
	return due
}

// sleep waits, rounded up to the clock's step so that a guest which reads the clock afterwards finds
// its time come. The end of the call's time ends the guest.
func (r *run) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	r.leaveTurn()
	timer := time.NewTimer((d + clockStep - 1).Truncate(clockStep))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
		r.stopEnded()
	}
}
