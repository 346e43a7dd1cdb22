package mcpserver

import (
	"net/netip"
	"sync"
	"time"
)

// How many wrong keys one address presents before it is told to wait. Guessing a key of 256 bits is
// hopeless at any rate, so this is no lock: a right key is let in from the same address, or one client
// with an expired key would keep all others out that share its address. It bounds what is logged, and
// tells a client that tries for ever to stop.
const (
	attemptBurst  = 10
	attemptEvery  = 6 * time.Second // one more
	maxAttempters = 4096            // addresses that are remembered
)

// attempts counts the wrong keys of each address.
type attempts struct {
	now func() time.Time

	mu  sync.Mutex
	all map[netip.Prefix]attempter // guarded by mu
}

type attempter struct {
	spent time.Duration // of attemptBurst × attemptEvery, at the time
	at    time.Time
	told  bool // that it has to wait
}

// failed counts one wrong key, and returns how long its address should wait: zero while it is within the
// limit. first is true once each time it is exceeded.
func (a *attempts) failed(address string) (retry time.Duration, first bool) {
	const most = attemptBurst * attemptEvery
	now, of := a.now(), network(address)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.all[of]; !known && len(a.all) >= maxAttempters {
		a.forget(now)
	}
	one := a.all[of]
	one.spent = max(0, one.spent-now.Sub(one.at))
	one.at = now
	if one.spent+attemptEvery <= most {
		one.spent += attemptEvery
		one.told = false
	} else {
		retry, first = one.spent+attemptEvery-most, !one.told
		one.told = true
	}
	a.all[of] = one
	return retry, first
}

// forget drops who has waited long enough, and of the others enough that this is not done again soon:
// who has that many addresses is not stopped by counting them, and must not fill the memory. a.mu is held.
func (a *attempts) forget(now time.Time) {
	for of, one := range a.all {
		if now.Sub(one.at) >= one.spent {
			delete(a.all, of)
		}
	}
	for of := range a.all {
		if len(a.all) <= maxAttempters*3/4 {
			return
		}
		delete(a.all, of)
	}
}

// network is what one party has: an address of IPv4, a /64 of IPv6.
func network(address string) netip.Prefix {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
