package guard

import (
	"net/netip"
	"slices"
	"sync"
)

// Listeners are the addresses at which this process serves, which no grant reaches: a servlet that calls
// Writ would be a client of its own. The zero value has none. Its methods may be used by many goroutines
// at once.
type Listeners struct {
	mu  sync.Mutex
	all []netip.AddrPort
}

// Add adds the address of a listener, as net.Listener.Addr().String() has it; what is none is left out.
func (l *Listeners) Add(address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return // of no IP network
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, netip.AddrPortFrom(unwrap(at.Addr()), at.Port()))
}

// Addresses are those that were added.
func (l *Listeners) Addresses() []netip.AddrPort {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// reachedAt says that a connection to an address ends at one of the listeners. own says whether an address
// is this machine's: a listener without an address of its own has all of them.
func (l *Listeners) reachedAt(to netip.AddrPort, own func(netip.Addr) bool) bool {
	if l == nil {
		return false
	}
	return slices.ContainsFunc(l.Addresses(), func(at netip.AddrPort) bool {
		return at.Port() == to.Port() && (at.Addr() == to.Addr() || at.Addr().IsUnspecified() && own(to.Addr()))
	})
}
