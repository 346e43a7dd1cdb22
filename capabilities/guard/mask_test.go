package guard

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
)

// Whatever the value and what stands around it, no usual encoding of it is left.
func FuzzMask(f *testing.F) {
	f.Add("s3cr3t-value", "before ", " after")
	f.Add("++//==&&", "", "")
	f.Add("[secret][secret]", "[", "]")
	f.Add("aaaaaaaa", "aaa", "aaaaa")
	f.Add("pässwörd", "\x00", "\xff")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		if len(value) < leastEncoded || strings.Contains(mask, value) || strings.Contains(before+after+mask, value) {
			return // it is not masked, or what is around it is
		}
		var m masked
		m.add(value)
		for _, text := range []string{
			before + value + after,
			hex.EncodeToString([]byte(before + value + after)),
			strings.ToUpper(hex.EncodeToString([]byte(value))),
			before + url.QueryEscape(value) + after,
			before + url.PathEscape(value) + after,
			base64.StdEncoding.EncodeToString([]byte(before + value + after)),
			base64.RawURLEncoding.EncodeToString([]byte(before + value + after)),
			base64.StdEncoding.EncodeToString([]byte(before + value)),
		} {
			if clean := m.clean([]byte(text)); bytes.Equal(clean, []byte(text)) {
				t.Errorf("%q is left as it is", text)
			}
		}
	})
}

// Too short a value is in any text: masking it would garble answers and tell its place.
func TestShortValuesAreNotLookedFor(t *testing.T) {
	var m masked
	m.add("abc")
	m.add("")
	if text := m.clean([]byte("abcabc")); string(text) != "abcabc" {
		t.Errorf("%q", text)
	}
	m.add("abcd")
	if text := m.clean([]byte("abcabcd")); string(text) != "abc"+mask {
		t.Errorf("%q", text)
	}
}

func TestNameOfAHeaderCanHoldASecret(t *testing.T) {
	var m masked
	m.add("Secret-Value")
	got := m.header([]effect.Header{{Name: "x-page-secret-value", Value: "1"}, {Name: "etag", Value: "Secret-Value"}})
	if len(got) != 1 || got[0].Value != mask {
		t.Errorf("%v", got)
	}
}
