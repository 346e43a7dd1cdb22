package capabilities

import (
	"errors"
	"fmt"
	"slices"
)

// MaxSecret bounds the value of a secret, in bytes.
const MaxSecret = 64 << 10

// Errors of secret values. They never quote one.
var (
	errSecretEmpty = errors.New("the value is empty")
	errSecretLong  = fmt.Errorf("the value is longer than %d bytes", MaxSecret)
	errSecretBytes = errors.New("the value has a line break or another control character")
	errSecretASCII = errors.New("it is sent in a header, which carries plain ASCII alone, and the value has other characters")
)

// SecretValue is the value of a secret in memory. However it is printed, by fmt, JSON or a log, also as
// a part of something else, what comes out is "[secret]" or an address: only Reveal tells it. The zero
// SecretValue is no secret.
type SecretValue struct{ text *string }

// NewSecretValue accepts what can be a secret: 1 to MaxSecret bytes without control characters, so
// that none can end a header and begin another.
func NewSecretValue(text string) (SecretValue, error) {
	switch {
	case text == "":
		return SecretValue{}, errSecretEmpty
	case len(text) > MaxSecret:
		return SecretValue{}, errSecretLong
	}
	for _, c := range []byte(text) {
		if c < ' ' || c == 0x7f {
			return SecretValue{}, errSecretBytes
		}
	}
	return SecretValue{&text}, nil
}

// Reveal returns the value itself; "" for the zero SecretValue.
func (v SecretValue) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

const hiddenSecret = "[secret]"

// String hides the value.
func (v SecretValue) String() string { return hiddenSecret }

// Format hides the value, whatever the verb.
func (v SecretValue) Format(f fmt.State, _ rune) { fmt.Fprint(f, hiddenSecret) }

// MarshalJSON hides the value.
func (v SecretValue) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenSecret + `"`), nil }

// MarshalText hides the value.
func (v SecretValue) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

// CheckSecret says why a value cannot be used for a secret of m, if it cannot: one that a header
// carries is ASCII.
func (m Manifest) CheckSecret(key string, v SecretValue) error {
	for _, h := range m.Capabilities.HTTP {
		if h.Auth == nil || h.Auth.Type != AuthHeader || !slices.Contains(h.Auth.Keys(), key) {
			continue
		}
		for _, c := range []byte(v.Reveal()) {
			if c > 0x7e {
				return errSecretASCII
			}
		}
	}
	return nil
}
