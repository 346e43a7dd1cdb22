package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// Network is how a guard reaches the network. The zero Network is the real one: the system's names,
// public addresses only, system roots. Tests give a resolver and roots of their own.
type Network struct {
	// Lookup resolves a host name, nil: the pure Go resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Roots verify TLS servers, nil: the system's.
	Roots *x509.CertPool
	// Loopback are the loopback addresses and ports that may be dialled all the same. Empty outside
	// tests: it is how they reach a server of their own through every check but the last one, without
	// a rule that an operator could switch off.
	Loopback []netip.AddrPort
	// Own are the addresses of this machine, nil: those of its network interfaces.
	Own func() ([]netip.Addr, error)
	// Listeners are this process's own, which are never dialled; nil: it has none.
	Listeners *Listeners
	// Tape answers in the network's place; nil, as outside of a servlet's tests: the network does.
	Tape Tape
}

const (
	dialTimeout     = 10 * time.Second // for one address
	maxAddresses    = 8                // tried per connection
	maxAnswerHeader = 64 << 10         // bytes of an answer's header, 1xx answers included
)

// addressError is a dial that was refused for where it would have gone.
type addressError struct{ rule string }

func (e *addressError) Error() string { return e.rule }

var errLookup = errors.New("the host name could not be resolved")

// dialer connects for one grant. Each has its own, and so its own connections: one opened under
// another grant's rules is never reused.
type dialer struct {
	life    context.Context // of the guard: connections are made apart from the request that wants them
	network Network
	right   capabilities.HTTPRight
	kind    capabilities.Kind
}

// transport returns the connections of the exchange's grant.
func (g *Guard) transport(x exchange) *http.Transport {
	id := string(x.kind) + ":" + x.capability
	g.mu.Lock()
	defer g.mu.Unlock()
	if t, ok := g.transports[id]; ok {
		return t
	}
	d := dialer{life: g.life.context(), network: g.network, right: x.right, kind: x.kind}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // no h2: extended CONNECT and pushed streams have no place here
	t := &http.Transport{
		Proxy:                  nil, // never the environment's: a proxy would dial where we cannot look
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.network.Roots},
		TLSHandshakeTimeout:    dialTimeout,
		Protocols:              protocols,
		DisableCompression:     true, // unpacked by answer.go, under a limit
		MaxResponseHeaderBytes: maxAnswerHeader,
		MaxConnsPerHost:        maxExchanging,
		IdleConnTimeout:        30 * time.Second,
	}
	if g.transports == nil {
		g.transports = make(map[string]*http.Transport)
	}
	g.transports[id] = t
	return t
}

// dial connects to one of the addresses of a granted host. Each is decided on by control, as it is
// dialled. If a name has several and one of them is forbidden, none is tried: a name that points
// inside and outside at once is how rebinding begins.
func (d dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, maxAddresses*dialTimeout)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errLookup
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, errLookup
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil || len(addrs) == 0 {
		return nil, errors.Join(errLookup, ctx.Err())
	}
	for _, a := range addrs {
		if err := d.permit(netip.AddrPortFrom(a, uint16(port))); err != nil && len(addrs) > 1 {
			return nil, err
		}
	}
	dialer := net.Dialer{Timeout: dialTimeout, ControlContext: d.control}
	var last error
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(a.Unmap(), uint16(port)).String())
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

func (d dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if d.network.Lookup != nil {
		return d.network.Lookup(ctx, host)
	}
	// The Go resolver, as others read "127.1" or "0x7f.1" as addresses; the final dot keeps the
	// search domains of the host out.
	return (&net.Resolver{PreferGo: true}).LookupNetIP(ctx, "ip", host+".")
}

// control sees the very address that is being connected to, after all name resolution.
func (d dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &addressError{rule: "the address is unreadable"}
	}
	return d.permit(to)
}

// permit decides on an address that is about to be dialled. The origin is a name by then: an operator
// who opens a private network (Private) opens addresses that the name may have, not a second way to
// write an origin. For pages nothing is ever opened, and a public address of this machine is refused
// too: behind it are Writ's own listeners and whatever else trusts the machine itself.
func (d dialer) permit(to netip.AddrPort) error {
	a := unwrap(to.Addr())
	if slices.Contains(d.network.Loopback, netip.AddrPortFrom(a, to.Port())) {
		return nil
	}
	kind := classify(to.Addr())
	opened := slices.ContainsFunc(d.right.Private, func(p netip.Prefix) bool { return p.Contains(a) })
	switch {
	case d.network.Listeners.reachedAt(netip.AddrPortFrom(a, to.Port()), d.own):
		return &addressError{rule: "the address is one that Writ itself serves at"}
	case opened && kind.openable():
		return nil
	case kind != classPublic:
		return &addressError{rule: "the address is not public: " + kind.name()}
	case d.kind == capabilities.KindWeb && d.own(a):
		return &addressError{rule: "the address is this machine's own"}
	}
	return nil
}

// own says that a is an address of this machine, or that this cannot be known.
func (d dialer) own(a netip.Addr) bool {
	addresses := d.network.Own
	if addresses == nil {
		addresses = interfaceAddresses
	}
	list, err := addresses()
	return err != nil || slices.Contains(list, a)
}

func interfaceAddresses() ([]netip.Addr, error) {
	networks, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, n := range networks {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			list = append(list, p.Addr().WithZone("").Unmap())
		}
	}
	return list, nil
}

func (c class) name() string {
	if c == classUnknown {
		return "unknown"
	}
	return string(c)
}
