package guard

import "net/netip"

// class says what kind of network an address belongs to. The zero class refuses.
type class string

const (
	classUnknown   class = ""
	classPublic    class = "public"
	classPrivate   class = "private"   // RFC 1918, unique local, carrier-grade NAT
	classReserved  class = "reserved"  // documentation, benchmarks, protocol assignments
	classLoopback  class = "loopback"  // this host
	classLinkLocal class = "linklocal" // this wire; clouds answer with machine credentials here
	classMetadata  class = "metadata"  // cloud metadata outside link-local
	classMulticast class = "multicast" // and broadcast
	classEmbedded  class = "embedded"  // carries an IPv4 address for a router to unpack
	classNone      class = "unspecified"
)

// openable are the classes that an operator's prefix can open. Loopback, link-local and metadata are
// not among them: through these a guest would speak to the host itself or as the host.
func (c class) openable() bool {
	return c == classPublic || c == classPrivate || c == classReserved
}

// metadata are addresses at which clouds hand out credentials. They are looked up before the tables
// below, as most lie in networks that an operator can open.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"),
	netip.MustParseAddr("169.254.170.2"),   // AWS ECS
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS EKS
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("fd00:42::42"),     // Scaleway
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"),
}

type network struct {
	prefix netip.Prefix
	class  class
}

// special4 are the IPv4 networks that are not for servlets. Source: IANA IPv4 Special-Purpose Address
// Registry, and RFC 1112 and 5771 for what is multicast.
var special4 = networks(map[string]class{
	"0.0.0.0/8":       classNone,
	"10.0.0.0/8":      classPrivate,
	"100.64.0.0/10":   classPrivate,
	"127.0.0.0/8":     classLoopback,
	"169.254.0.0/16":  classLinkLocal,
	"172.16.0.0/12":   classPrivate,
	"192.0.0.0/24":    classReserved,
	"192.0.2.0/24":    classReserved,
	"192.31.196.0/24": classReserved,
	"192.52.193.0/24": classReserved,
	"192.88.99.0/24":  classEmbedded,
	"192.168.0.0/16":  classPrivate,
	"192.175.48.0/24": classReserved,
	"198.18.0.0/15":   classReserved,
	"198.51.100.0/24": classReserved,
	"203.0.113.0/24":  classReserved,
	"224.0.0.0/4":     classMulticast,
	"240.0.0.0/4":     classMulticast, // reserved, and the broadcast address
})

// special6 are the IPv6 networks that are not public; what is neither here nor in 2000::/3 is unknown.
// Source: IANA IPv6 Special-Purpose Address Registry. 6to4, Teredo and the rest of 2001::/23 are
// refused whole: nothing that a servlet needs lives there, and the first two carry IPv4 addresses.
var special6 = networks(map[string]class{
	"::1/128":           classLoopback,
	"::/128":            classNone,
	"::/96":             classEmbedded,
	"64:ff9b:1::/48":    classEmbedded,
	"100::/64":          classReserved,
	"2001::/23":         classEmbedded,
	"2001:db8::/32":     classReserved,
	"2002::/16":         classEmbedded,
	"2620:4f:8000::/48": classReserved,
	"3fff::/20":         classReserved,
	"5f00::/16":         classReserved,
	"fc00::/7":          classPrivate,
	"fe80::/10":         classLinkLocal,
	"fec0::/10":         classLinkLocal,
	"ff00::/8":          classMulticast,
})

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	global6 = netip.MustParsePrefix("2000::/3")
)

func networks(table map[string]class) []network {
	var list []network
	for prefix, c := range table {
		list = append(list, network{netip.MustParsePrefix(prefix), c})
	}
	return list
}

// unwrap returns the address that a packet to a ends up at: an IPv4 address can come dressed as an
// IPv6 one, mapped or for a NAT64 gateway, and is judged by what it is.
func unwrap(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// classify judges an address. The narrowest network wins.
func classify(a netip.Addr) class {
	if !a.IsValid() || a.Zone() != "" {
		return classUnknown
	}
	a = unwrap(a)
	for _, m := range metadata {
		if a == m {
			return classMetadata
		}
	}
	table, found, bits := special6, classUnknown, -1
	switch {
	case a.Is4():
		table, found = special4, classPublic
	case global6.Contains(a):
		found = classPublic
	}
	// ISATAP (RFC 5214): an interface identifier that carries an IPv4 address, under any prefix.
	if b := a.As16(); !a.Is4() && b[8]&^3 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		return classEmbedded
	}
	for _, n := range table {
		if n.prefix.Contains(a) && n.prefix.Bits() > bits {
			found, bits = n.class, n.prefix.Bits()
		}
	}
	return found
}
