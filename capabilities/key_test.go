package capabilities_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

func TestKeyTextRoundTrip(t *testing.T) {
	text := capabilities.FormatKey(testKey)
	want := "# public key: ed25519:6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=\nWRIT-SECRET-KEY-1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"
	if string(text) != want {
		t.Fatalf("got %s", text)
	}
	for name, in := range map[string]string{
		"as written":         want,
		"with Windows lines": strings.ReplaceAll(want, "\n", "\r\n"),
		"without comment":    want[strings.Index(want, "WRIT"):],
		"with more comments": "# mine, made 2026\n\n" + want + "\n# end",
	} {
		key, err := capabilities.ParseKey([]byte(in))
		if err != nil || !key.Equal(testKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadKeyFilesAreRefusedWithoutQuotingThem(t *testing.T) {
	const seed = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
	good := "WRIT-SECRET-KEY-1:" + seed + "\n"
	for name, in := range map[string]string{
		"empty":                   "",
		"only a comment":          "# public key: x\n",
		"two keys":                good + good,
		"other version":           "WRIT-SECRET-KEY-2:" + seed,
		"cut":                     good[:40],
		"stray bits at the end":   strings.Replace(good, "c=", "d=", 1),
		"no padding":              strings.Replace(good, "=", "", 1),
		"space before":            " " + good,
		"whole private key":       "WRIT-SECRET-KEY-1:" + base64.StdEncoding.EncodeToString(testKey),
		"another key's comment":   "# public key: ed25519:AAAA\n" + good,
		"a PEM file":              "-----BEGIN PRIVATE KEY-----\n" + seed + "\n-----END PRIVATE KEY-----\n",
		"a long file":             strings.Repeat("#\n", 3000) + good,
		"a line break in the key": "WRIT-SECRET-KEY-1:" + seed[:10] + "\n" + seed[10:],
	} {
		_, err := capabilities.ParseKey([]byte(in))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "BwcHBwcH") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error quotes the key or has two lines: %v", name, err)
		}
	}
}

func TestFingerprintShows64Bits(t *testing.T) {
	id := capabilities.KeyID(testKey.Public().(ed25519.PublicKey))
	if got, want := capabilities.Fingerprint(id), id[:4]+"-"+id[4:8]+"-"+id[8:12]+"-"+id[12:16]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, bad := range []string{"", "ab12", strings.ToUpper(id), "\x1b[2J" + id[4:], id + "0"} {
		if got := capabilities.Fingerprint(bad); got != "????-????-????-????" {
			t.Errorf("Fingerprint(%q) = %q", bad, got)
		}
	}
}

func TestPublisherHasOneSpelling(t *testing.T) {
	pub := testKey.Public().(ed25519.PublicKey)
	text := capabilities.FormatPublisher(pub)
	if got, err := capabilities.ParsePublisher(text); err != nil || !got.Equal(pub) {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"empty":                 "",
		"no type":               strings.TrimPrefix(text, "ed25519:"),
		"other type":            "rsa:" + strings.TrimPrefix(text, "ed25519:"),
		"capitals":              strings.ToUpper(text[:8]) + text[8:],
		"no padding":            strings.TrimSuffix(text, "="),
		"line break":            text[:20] + "\n" + text[20:],
		"stray bits at the end": strings.TrimSuffix(text, "w=") + "x=",
		"URL alphabet":          strings.ReplaceAll(text, "+", "-"),
		"short":                 "ed25519:AAAA",
		"trailing space":        text + " ",
	} {
		if _, err := capabilities.ParsePublisher(in); err == nil {
			t.Errorf("%s: %q accepted", name, in)
		}
	}
}

// weak are the public keys of small order, in all spellings that crypto/ed25519 accepts.
var weak = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p = 0
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1 = 1
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

// A signature made without any private key verifies under each weak key, for a share of all
// messages. The first loop shows that the standard library lets this happen; the refusal is ours.
func TestWeakKeysForgeAndAreRefused(t *testing.T) {
	for _, encoded := range weak {
		pub, err := hex.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !forgeable(pub) {
			t.Errorf("%s: no forgery found: not a weak key, so this test shows nothing", encoded)
		}
		if _, err := capabilities.ParsePublisher(capabilities.FormatPublisher(pub)); err == nil {
			t.Errorf("%s: accepted", encoded)
		}
	}
	for _, p := range []string{"f0", "ff"} { // y = 3 and y = 18, spelled as p+3 and p+18
		pub, _ := hex.DecodeString(p + strings.Repeat("ff", 30) + "7f")
		if _, err := capabilities.ParsePublisher(capabilities.FormatPublisher(pub)); err == nil {
			t.Errorf("second spelling %x accepted", pub)
		}
	}
	if forgeable(testKey.Public().(ed25519.PublicKey)) {
		t.Error("an ordinary key can be forged")
	}
}

// forgeable tries signatures whose point is itself of small order and whose scalar is zero.
func forgeable(pub ed25519.PublicKey) bool {
	for _, encoded := range weak[:10] {
		point, _ := hex.DecodeString(encoded)
		sig := append(bytes.Clone(point), make([]byte, 32)...)
		for i := range 16 {
			if ed25519.Verify(pub, fmt.Appendf(nil, "message %d", i), sig) {
				return true
			}
		}
	}
	return false
}

func TestSealRefusesHalfKeys(t *testing.T) {
	swapped := bytes.Clone(testKey)
	copy(swapped[32:], ed25519.NewKeyFromSeed(make([]byte, 32))[32:])
	for name, key := range map[string]ed25519.PrivateKey{"none": nil, "short": testKey[:32], "another public half": swapped} {
		if _, err := capabilities.Seal(emptyModule, sample(), key); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}
