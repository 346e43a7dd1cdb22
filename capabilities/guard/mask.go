package guard

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/writ-run/writ/capabilities/effect"
)

// masked finds the secrets that a call has sent in what it gets back. Servers echo requests in error
// pages and debug answers; without it the echo would hand the guest its key. It finds a value as it is
// and in the usual encodings. A server that helps the guest can encode it in a way of its own, or send
// it in pieces: against that there is no defence but the choice of the origin.
type masked struct {
	mu    sync.Mutex
	known map[string]bool // values
	forms [][]byte        // of all values, longest first
}

const (
	mask = "[secret]"
	// leastMasked and leastEncoded are the lengths in bytes below which a value, or an encoding of
	// it, is not looked for: it would be found in any text.
	leastMasked  = 4
	leastEncoded = 6
)

// add makes a value known.
func (m *masked) add(value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(value) < leastMasked || m.known[value] {
		return
	}
	if m.known == nil {
		m.known = make(map[string]bool)
	}
	m.known[value] = true
	for _, form := range forms(value) {
		if !slices.ContainsFunc(m.forms, func(f []byte) bool { return string(f) == form }) {
			m.forms = append(m.forms, []byte(form))
		}
	}
	slices.SortStableFunc(m.forms, func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
}

// clean replaces what it finds. The text is whole, so that nothing is missed between two pieces.
func (m *masked) clean(text []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, form := range m.forms {
		if bytes.Contains(text, form) {
			text = bytes.ReplaceAll(text, form, []byte(mask))
		}
	}
	return text
}

// occurs says that there is something to replace.
func (m *masked) occurs(text []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.forms, func(form []byte) bool { return bytes.Contains(text, form) })
}

func (m *masked) finds(text string) bool {
	return string(m.clean([]byte(text))) != text
}

// header cleans the fields of an answer. A name that holds a secret is dropped: names come in lower
// case, so its letters are compared without it.
func (m *masked) header(fields []effect.Header) []effect.Header {
	out := fields[:0]
	for _, f := range fields {
		if m.inName(f.Name) {
			continue
		}
		f.Value = string(m.clean([]byte(f.Value)))
		out = append(out, f)
	}
	return out
}

func (m *masked) inName(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.forms, func(form []byte) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(string(form)))
	})
}

// forms are the value and its encodings.
func forms(value string) []string {
	all := []string{value}
	quoted, _ := json.Marshal(value) // escapes <, > and & as well
	for _, form := range []string{
		strings.Trim(string(quoted), `"`), strings.ReplaceAll(value, "/", `\/`), html.EscapeString(value),
		url.QueryEscape(value), url.PathEscape(value), url.QueryEscape(url.QueryEscape(value)),
		percent(value),
		hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
	} {
		all = append(all, form, lowerEscapes(form))
	}
	for offset := range 3 {
		all = append(all, inBase64(base64.RawStdEncoding, value, offset)...)
		all = append(all, inBase64(base64.RawURLEncoding, value, offset)...)
	}
	return slices.DeleteFunc(all, func(form string) bool { return form != value && len(form) < leastEncoded })
}

// percent escapes every byte.
func percent(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
	}
	return b.String()
}

// lowerEscapes writes percent-encoding with small letters, as some servers do.
func lowerEscapes(text string) string {
	out := []byte(text)
	for i := 0; i+2 < len(out); i++ {
		if out[i] == '%' && isHex(out[i+1]) && isHex(out[i+2]) {
			copy(out[i+1:i+3], bytes.ToLower(out[i+1:i+3]))
			i += 2
		}
	}
	return string(out)
}

// inBase64 are the parts of an encoding that are the same whatever stands before the value, which
// begins offset bytes after a group of three: when the value ends the text, and when more follows.
func inBase64(encoding *base64.Encoding, value string, offset int) []string {
	text := encoding.EncodeToString(append(make([]byte, offset), value...))
	first := (offset*8 + 5) / 6           // after the characters that bits before the value have a part in
	last := (offset + len(value)) * 8 / 6 // before those that bits after it have
	return []string{text[first:], text[first:last]}
}
