package logging_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/logging"
)

// Values are taken out whole, in every way in which texts write names and values.
func TestValuesOfNames(t *testing.T) {
	for text, want := range map[string]string{
		`body={\"password\":\"hunter2222\",\"user\":\"ana\"}`:    `body={\"password\":\"[redacted]\",\"user\":\"ana\"}`,
		`b={\\\"token\\\":\\\"a\\\\\\\"bcdefgh\\\",\\\"n\\\":1}`: `b={\\\"token\\\":\\\"[redacted]\\\",\\\"n\\\":1}`,
		`{"key":"0123456789abcdef0123"}`:                         `{"key":"[redacted]"}`,
		`{"password":"ab\"cdefgh","n":1}`:                        `{"password":"[redacted]","n":1}`,
		`{"password":"ends with one\\","n":1}`:                   `{"password":"[redacted]","n":1}`,
		`{"password":"not ended`:                                 `{"password":"[redacted]`,
		`{"cookie":"sid=0123456789; b=c","n":1}`:                 `{"cookie":"[redacted]","n":1}`,
		`{"pin_secret":12345,"n":1}`:                             `{"pin_secret":[redacted],"n":1}`,
		`{"tokens":["ab\"]c","def"],"n":1}`:                      `{"tokens":[redacted],"n":1}`,
		`{"credentials":{"user":"u","p":["x}"]},"n":1}`:          `{"credentials":[redacted],"n":1}`,
		`{\"keys\":[\"a]b\",\"c\"],\"n\":1}`:                     `{\"keys\":[redacted],\"n\":1}`,
		`map[X-Api-Key:[abc def] Host:[a.test]]`:                 `map[X-Api-Key:[redacted] Host:[a.test]]`,
		`http.Header{"X-Api-Key":[]string{"abc"}, "A":1}`:        `http.Header{"X-Api-Key":[redacted], "A":1}`,
		`X-Auth-Token: "a&bcdefghij" sent`:                       `X-Auth-Token: "[redacted]" sent`,
		`token=a&bcdefgh now`:                                    `token=[redacted] now`,
		`token=ab"cdefgh now`:                                    `token=[redacted] now`,
		`{"u":"/?key=ab","n":1}`:                                 `{"u":"/?key=[redacted]","n":1}`,
		`/?key=ab&page=2`:                                        `/?key=[redacted]&page=2`,
		`key=0123456789abcdef n=1`:                               `key=[redacted] n=1`,
		`key: 0123456789abcdef`:                                  `key: [redacted]`,
		`credential=abcdefghijkl, n=1`:                           `credential=[redacted], n=1`,
		`/x?access_token=abcdefgh&n=1`:                           `/x?access_token=[redacted]&n=1`,
		`/x?to=%2Fy%3Ftoken%3Dabcdefgh`:                          `/x?to=%2Fy%3Ftoken%3D[redacted]`,
		`password=correct horse battery n=1`:                     `password=[redacted] n=1`,
		`passphrase: correct horse, then more`:                   `passphrase: [redacted], then more`,
		`password: a,b`:                                          `password: [redacted]`,
		`passwd='it is long' n=1`:                                `passwd='[redacted]' n=1`,
		"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG":            "AWS_SECRET_ACCESS_KEY=[redacted]",
		"Cookie: sid=0123456789; other=1\nHost: a.test":          "Cookie: [redacted]\nHost: a.test",
		"Set-Cookie: session=abcdef0123456; Path=/; Secure":      "Set-Cookie: [redacted]",
		`"GET / HTTP/1.1\r\nCookie: a=b; c=d\r\nHost: x"`:        `"GET / HTTP/1.1\r\nCookie: [redacted]\r\nHost: x"`,
		"Authorization: ApiKey abcdef012345":                     "Authorization: ApiKey [redacted]",
		"Authorization: token12345678":                           "Authorization: [redacted]",
		"authorization: Bearer abcdefgh12345678\nHost: x":        "authorization: Bearer [redacted]\nHost: x",
		`Authorization: Digest username="u", response="0a1b2c"`:  "Authorization: Digest [redacted]",
		"Proxy-Authorization: Custom a b c":                      "Proxy-Authorization: [redacted]",
		`{"Authorization":"Basic dTpw","n":1}`:                   `{"Authorization":"Basic [redacted]","n":1}`,
		"GET https://tokenvalue12345@a.test/x":                   "GET https://[redacted]@a.test/x",
		"-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK----- and": "[redacted] and",
		"key=-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- n=1":           "key=[redacted] n=1",
	} {
		got, n := logging.Text(text)
		if got != want || n == 0 {
			t.Errorf("%q\nis   %q, %d taken out\nwant %q", text, got, n, want)
		}
		// What was written once is read again by who passes it on.
		if again, _ := logging.Text(got); again != got {
			t.Errorf("%q\nread again is %q", got, again)
		}
	}
}

// A log from which everything is taken out tells nothing.
func TestOrdinaryTextStays(t *testing.T) {
	for _, text := range []string{
		"opening keys/home.key: permission denied",
		"keys.go:35:12: undefined: token",
		"the key: value form is wanted",
		"unknown key: colour",
		"no cookie: continuing without a session",
		"/?max_tokens=50&page=2",
		"max_tokens=4096, keys: 3 and {\"tokens\":1532}",
		`{"token":null,"password":"","secret":false}`,
		"keyboard=us monkey=capuchin keywords: fast, small",
		"the tokenizer: gpt2; tokenizer=bpe",
		"see https://a.test/keys and ssh://git@a.test/x, or mail ana@a.test",
		"https://a.test/@ana https://a.test?to=a@b.test",
		`["https://a.test","ana@a.test"]`,
		"token://a.test/x",
		"password:\nnext line",
		"a token is a word, and so is secret",
		"key",
		"key=",
		"= : ==",
	} {
		if got, n := logging.Text(text); got != text || n != 0 {
			t.Errorf("%q\nis %q, %d taken out", text, got, n)
		}
	}
}

// BenchmarkHostileText reads texts of the full length, made to have the rest read again and again: what a
// text holds is somebody else's, and must not make a log slow.
func BenchmarkHostileText(b *testing.B) {
	for _, part := range []string{
		"token", "a.", "a://", "bearer ", "-----BEGIN ", `password="`, `password=\"`, "password=a ", "key: a ", "Authorization: ", `Authorization: x\n`,
		`Cookie: a=b\n`, "Cookie: a\r", `"key":[`, `"key":{"`, "key=", "key=%3D", `key=\`, "password= ", "[]string{", "https://a", "key=[]string",
	} {
		text := strings.Repeat(part, 64<<10/len(part))
		b.Run(strconv.Quote(part), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				logging.Text(text)
			}
		})
	}
}

// A value written as JSON, in JSON, in JSON is taken out whole, whatever is in it and around it.
func FuzzValuesOfNames(f *testing.F) {
	f.Add("", "plain", uint8(0))
	f.Add(`{"a":`, `with "quotes" and \ and ]}`, uint8(2))
	f.Add("x", `\`, uint8(1))
	f.Add("Cookie: a", "\n\x00,&;", uint8(3))
	f.Fuzz(func(t *testing.T, before, value string, deep uint8) {
		logging.Text(before + value)
		text := value + canary + value + canary
		for i := range int(deep%3) + 1 {
			name := "n"
			if i == 0 {
				name = "password"
			}
			encoded, err := json.Marshal(map[string]string{name: text, "a": "1"})
			if err != nil {
				t.Skip()
			}
			text = string(encoded)
		}
		if got, n := logging.Text(text); strings.Contains(got, canary) || n == 0 {
			t.Errorf("%s\nis %s, %d taken out", text, got, n)
		}
	})
}
