package guard

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// origin is a granted scheme, host and port that has passed parseOrigin.
type origin struct {
	scheme string
	host   string     // lower-case ASCII name, or an address without brackets
	port   string     // never empty
	addr   netip.Addr // of an origin that is written as an address; else invalid
}

// host names at which clouds or systems serve the machine itself, refused before any lookup. The
// addresses behind them are refused at the dial as well.
var machineHosts = []string{
	"localhost", "metadata", "metadata.google.internal", "metadata.goog", "instance-data",
	"instance-data.ec2.internal", "metadata.azure.internal", "metadata.tencentyun.com", "ip6-localhost", "ip6-loopback",
}

// parseOrigin reads "scheme://host[:port]" in its one spelling, and nothing else. The manifest and the
// approval were checked before; this check is the one that stands next to the dial.
func parseOrigin(s string) (origin, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return origin{}, false
	}
	o := origin{scheme: scheme, host: rest, port: map[string]string{"https": "443", "http": "80"}[scheme]}
	if strings.Contains(rest, ":") && !(strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]")) {
		host, port, err := net.SplitHostPort(rest)
		if err != nil || port == "" {
			return origin{}, false
		}
		o.port = port
		o.host = host
		if strings.Contains(host, ":") {
			o.host = "[" + host + "]"
		}
	}
	if n, err := strconv.ParseUint(o.port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != o.port {
		return origin{}, false
	}
	if literal, ok := strings.CutPrefix(o.host, "["); ok {
		o.host = strings.TrimSuffix(literal, "]")
		a, err := netip.ParseAddr(o.host)
		o.addr = a
		return o, err == nil && a.Is6() && !a.Is4In6() && a.Zone() == "" && a.String() == o.host
	}
	if a, err := netip.ParseAddr(o.host); err == nil {
		o.addr = a
		return o, a.Is4() && a.String() == o.host
	}
	return o, validHost(o.host)
}

// validHost accepts names of letters, digits and hyphens only: a full-width digit or an ideographic
// full stop would be folded into an address further down. A last label of digits is an address in
// disguise ("127.1", "0x7f.1", "2130706433") to some resolvers.
func validHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	if last[0] >= '0' && last[0] <= '9' || last == "localhost" {
		return false
	}
	for _, name := range machineHosts {
		if host == name {
			return false
		}
	}
	return true
}

// address is host and port as they are dialled.
func (o origin) address() string { return net.JoinHostPort(o.host, o.port) }

// authority is host and port as they stand in a URL, without a default port.
func (o origin) authority() string {
	if o.scheme == "https" && o.port == "443" || o.scheme == "http" && o.port == "80" {
		if strings.Contains(o.host, ":") {
			return "[" + o.host + "]"
		}
		return o.host
	}
	return o.address()
}
