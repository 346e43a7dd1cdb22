package capabilities

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// UserOrigin in a request lets the operator choose the origin.
const UserOrigin = "user"

// ParseOrigin reads "https://host[:port]" and returns its one canonical spelling: lower case, without
// the default port. The host is a DNS name in ASCII (xn-- for others) of at least two labels. Refused
// are IP addresses in every spelling that some resolver accepts (127.1, 0x7f.1), localhost, user
// names, paths, queries and a trailing dot: each would let what is shown differ from what is dialled.
func ParseOrigin(text string) (string, error) {
	// Only ASCII is lowered: Unicode would turn the Kelvin sign into a "k".
	lower := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
	rest, ok := strings.CutPrefix(lower, "https://")
	if !ok {
		return "", errors.New(`want "https://host" or "https://host:port"`)
	}
	host, port, hasPort := strings.Cut(rest, ":")
	if err := checkHost(host); err != nil {
		return "", err
	}
	if !hasPort || port == "443" {
		return "https://" + host, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", errors.New("port: want 1 to 65535, without leading zeros")
	}
	return "https://" + host + ":" + port, nil
}

func checkHost(host string) error {
	labels := strings.Split(host, ".")
	if len(host) > 253 || len(labels) < 2 {
		return errors.New("host: want a full DNS name such as api.example.com, nothing before or after it")
	}
	for _, label := range labels {
		if !hostLabel(label) {
			return errors.New("host: want labels of a-z, 0-9 and \"-\": no wildcard, user name, path, IP literal or trailing dot (xn-- for other scripts)")
		}
	}
	last := labels[len(labels)-1]
	// A name that ends in a number is an IPv4 address to browsers and to some resolvers.
	// Source: WHATWG URL, "ends in a number checker".
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == "" {
		return errors.New("host: ends in a number, which is an IP address: want a DNS name")
	}
	if last == "localhost" || last == "localdomain" {
		return errors.New("host: names this machine: want a public DNS name")
	}
	return nil
}

// publicOrigin is ParseOrigin for what a publisher may name: names that only exist inside somebody's
// network are the operator's to choose.
func publicOrigin(text string) error {
	canonical, err := ParseOrigin(text)
	if err != nil {
		return err
	}
	if canonical != text {
		return fmt.Errorf("write it as %q", canonical)
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(canonical, "https://"), ":")
	if inner := InnerDomain(host); inner != "" {
		return fmt.Errorf("host: %q names exist only inside a network: write \"user\" and let the operator choose", inner)
	}
	return nil
}

// InnerDomain returns the domain, such as ".local", by which a host's name exists only inside
// somebody's network, or "". host is a name as [ParseOrigin] returns it.
func InnerDomain(host string) string {
	for _, inner := range []string{".local", ".internal", ".home.arpa", ".lan"} {
		if strings.HasSuffix(host, inner) {
			return inner
		}
	}
	return ""
}

const (
	lowerDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
	segmentSet  = lowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ._~!$&'()+,=:@-"
)

func hostLabel(label string) bool {
	return label != "" && len(label) <= 63 && strings.Trim(label, lowerDigits+"-") == "" &&
		label[0] != '-' && label[len(label)-1] != '-'
}

// checkPath accepts a path in the one form in which paths are compared: absolute, plain segments, no
// escapes. Everything that a server could read as another path is refused, not normalised.
func checkPath(path string) error {
	if len(path) > 512 || !strings.HasPrefix(path, "/") {
		return errors.New(`want an absolute path such as "/v1/", of at most 512 bytes`)
	}
	if path == "/" {
		return nil
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if segment == "." || segment == ".." || segment == "" || strings.Trim(segment, segmentSet) != "" {
			return errors.New(`want plain segments: no "//", ".", "..", "%", ";", "*", "?", "#", "\" or space`)
		}
	}
	return nil
}

// PathCovers says that the path right allowed allows path: the same path, or, when allowed ends in
// "/", any path below it. Segments are compared whole: "/v1/" covers "/v1/users", not "/v10" and not
// "/v1". path must be clean and unescaped already; what is not never matches.
func PathCovers(allowed, path string) bool {
	if checkPath(allowed) != nil || checkPath(path) != nil {
		return false
	}
	return allowed == path || strings.HasSuffix(allowed, "/") && strings.HasPrefix(path, allowed)
}
