package guard

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
)

const (
	maxURLPath = 8 << 10 // bytes, before and after canonicalisation
	maxQuery   = 8 << 10 // bytes
)

var (
	errURLPath = errors.New("the path is not a plain absolute path: write it without \"..\", \"//\", \";\" or encoded separators")
	errQuery   = errors.New("the query has characters that must be percent-encoded")
)

// canonicalPath turns the path of a request into the one spelling that is both matched and sent, or
// refuses it. Whatever two servers could read differently is refused rather than repaired: encoded
// dots, slashes, backslashes and percent signs before hex digits (a second decoding would make them
// separators), "." and ".." segments, empty segments, ";" (path parameters hide ".." from some
// matchers), control characters, and the characters that Unicode folds into dots and slashes.
// Anything else that is not plain is percent-encoded.
func canonicalPath(path string) (canonical, decoded string, err error) {
	if path == "" || path[0] != '/' || len(path) > maxURLPath {
		return "", "", errURLPath
	}
	decoded, ok := decodePath(path)
	if !ok || !utf8.ValidString(decoded) || strings.ContainsAny(decoded, `\;`) || strings.Contains(decoded, "//") {
		return "", "", errURLPath
	}
	for _, r := range decoded {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || foldsToSeparator(r) {
			return "", "", errURLPath
		}
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return "", "", errURLPath
		}
	}
	canonical = encodePath(decoded)
	if len(canonical) > maxURLPath {
		return "", "", errURLPath
	}
	return canonical, decoded, nil
}

// decodePath decodes once. It refuses what would change the path's structure, or would be left to
// decode again.
func decodePath(path string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch c {
		case '?', '#':
			return "", false
		case '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return "", false
			}
			c = unhex(path[i+1])<<4 | unhex(path[i+2])
			if c == '/' || c == '.' || c == '\\' {
				return "", false
			}
			i += 2
		}
		b.WriteByte(c)
	}
	decoded := b.String()
	for i := range len(decoded) - 2 {
		if decoded[i] == '%' && isHex(decoded[i+1]) && isHex(decoded[i+2]) {
			return "", false
		}
	}
	return decoded, true
}

// foldsToSeparator reports characters that servers with compatibility folding read as ".", "/", "\"
// or ";".
func foldsToSeparator(r rune) bool {
	switch r {
	case 0x2024, 0x2025, 0x2026, 0x3002, 0xfe52, 0xff0e, 0xff61, // dots
		0x2044, 0x2215, 0x2571, 0x29f8, 0xff0f, // slashes
		0x2216, 0x29f5, 0xfe68, 0xff3c, // backslashes
		0x037e, 0xfe54, 0xff1b, // semicolons
		0xfe6a, 0xff05: // percent signs
		return true
	}
	return false
}

const upperHex = "0123456789ABCDEF"

// encodePath writes the characters that RFC 3986 allows in a segment as they are, and all others as
// upper-case percent-encoding.
func encodePath(decoded string) string {
	var b strings.Builder
	for _, c := range []byte(decoded) {
		if isUnreserved(c) || strings.IndexByte("/!$&'()*+,=:@", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
	}
	return b.String()
}

// withinPaths matches a canonical path against the granted ones as [capabilities.PathCovers] does: by
// whole segments, "/v1/" grants everything below it and itself, "/v1" that one path, and a granted
// path that no manifest could hold grants nothing. Only the guest's side differs: a path that is sent
// can be longer than one that is granted, and have escapes, which canonicalPath has brought into one
// spelling and none of which is a separator.
func withinPaths(canonical string, granted []string) bool {
	for _, grant := range granted {
		if !capabilities.PathCovers(grant, grant) {
			continue
		}
		if canonical == grant || strings.HasSuffix(grant, "/") && strings.HasPrefix(canonical, grant) {
			return true
		}
	}
	return false
}

// checkQuery accepts the characters that RFC 3986 allows in a query, and brackets.
func checkQuery(query string) error {
	if len(query) > maxQuery {
		return errQuery
	}
	for i := 0; i < len(query); i++ {
		c := query[i]
		switch {
		case c == '%':
			if i+2 >= len(query) || !isHex(query[i+1]) || !isHex(query[i+2]) {
				return errQuery
			}
		case !isUnreserved(c) && strings.IndexByte("!$&'()*+,;=:@/?[]", c) < 0:
			return errQuery
		}
	}
	return nil
}

func isUnreserved(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
