package download

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Address is an address that may be fetched from. The zero Address is none.
type Address struct{ url *url.URL }

// Is says that a source was meant as an address: anything that has a scheme and two slashes. Whether it
// is fetched from is for Parse to say.
func Is(source string) bool {
	scheme, _, ok := strings.Cut(source, "://")
	return ok && scheme != "" && strings.IndexFunc(scheme, notOfScheme) < 0
}

func notOfScheme(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+-.", r)
}

// Parse reads an address and says what is wrong with one that is not accepted. It asks no name server.
func Parse(text string) (Address, error) {
	if len(text) > maxAddress {
		return Address{}, fmt.Errorf("%w: it is longer than %d bytes", ErrAddress, maxAddress)
	}
	// What cannot be seen, or looks like something else, has no place where a person reads whence a file comes.
	for _, b := range []byte(text) {
		if b <= ' ' || b >= 0x7f {
			return Address{}, fmt.Errorf("%w: write spaces and what is not ASCII as %%XX", ErrAddress)
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %w", ErrAddress, withoutAddress(err))
	}
	if err := allowed(u); err != nil {
		return Address{}, err
	}
	u.Fragment, u.RawFragment = "", "" // of a page, and never sent
	return Address{u}, nil
}

// String is the address without its query, which may be what gives access: three dots stand for it.
func (a Address) String() string {
	if a.url == nil {
		return ""
	}
	u := *a.url
	query := u.RawQuery != "" || u.ForceQuery
	u.RawQuery, u.ForceQuery = "", false
	if query {
		return u.String() + hiddenQuery
	}
	return u.String()
}

const hiddenQuery = "?..."

// Shortened says that a text is what String made of an address with a query: no address to fetch from.
func Shortened(text string) bool { return strings.HasSuffix(text, hiddenQuery) }

// allowed is the rule for every address, the first one and each of a redirect.
func allowed(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%w: use https, or name a file by its path", ErrAddress)
	case u.Opaque != "" || u.Hostname() == "":
		return fmt.Errorf("%w: it names no host", ErrAddress)
	case u.User != nil:
		return fmt.Errorf("%w: it holds a user name or password, which Writ would have to remember: use one without", ErrAddress)
	case u.Scheme == "http" && !local(u.Hostname()):
		return fmt.Errorf("%w: http is only for this machine (127.0.0.1, [::1], localhost): use https", ErrAddress)
	}
	return nil
}

// local says that a host's name is this machine's. What it resolves to is looked at when it is dialled.
func local(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
