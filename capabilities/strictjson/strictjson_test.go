package strictjson_test

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/writ-run/writ/capabilities/strictjson"
)

type grant struct {
	HTTP  string             `json:"http"`
	Count int                `json:"count,omitzero"`
	Raw   stdjson.RawMessage `json:"raw,omitempty"`
	In    *grant             `json:"in,omitempty"`
}

func TestDecodeRefusesWhatReadersUnderstandDifferently(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, `JSON: empty input`},
		{"only space", "  \n", `JSON: no value`},
		{"duplicate name", `{"http":"a","http":"b"}`, `JSON: duplicate name at offset 12`},
		{"duplicate name deep inside a raw value", `{"raw":{"a":{"b":1,"b":2}}}`, `JSON: duplicate name at offset 19`},
		{"duplicate name spelled with an escape", `{"http":"a","\u0068ttp":"b"}`, `JSON: duplicate name at offset 12`},
		{"name in other case", `{"HTTP":"a"}`, `JSON: unknown name at "/HTTP"`},
		{"name with the Kelvin sign for k", "{\"\u212a\":1}", `JSON: unknown name at "/\u212a"`},
		{"name with a long s", "{\"in\":{\"co\u017ft\":1}}", `JSON: unknown name at "/in/co\u017ft"`},
		{"unknown name", `{"in":{"wat":1}}`, `JSON: unknown name at "/in/wat"`},
		{"name that ends in NUL", `{"http\u0000":"a"}`, `JSON: unknown name at "/http\x00"`},
		{"second value", `{} {}`, `JSON: 2 bytes after the value at offset 3`},
		{"trailing byte", "{}\x00", `JSON: 1 bytes after the value at offset 2`},
		{"byte order mark", "\ufeff{}", `JSON: invalid character at offset 0`},
		{"invalid UTF-8", "{\"http\":\"\xff\"}", `JSON: invalid UTF-8 at offset 9`},
		{"overlong UTF-8", "{\"http\":\"\xc0\xaf\"}", `JSON: invalid UTF-8 at offset 9`},
		{"lone high surrogate", `{"http":"\ud800"}`, `JSON: invalid surrogate pair at offset 9`},
		{"swapped surrogates", `{"http":"\udc00\ud800"}`, `JSON: invalid surrogate pair at offset 9`},
		{"raw control character", "{\"http\":\"\x1b\"}", `JSON: invalid character at offset 9`},
		{"comment", `{}//`, `JSON: 2 bytes after the value at offset 2`},
		{"trailing comma", `{"count":1,}`, `JSON: invalid character at offset 10`},
		{"name without quotes", `{http:1}`, `JSON: invalid character at offset 1`},
		{"number for a name", `{1:2}`, `JSON: a name that is not a string at offset 1`},
		{"leading zero", `{"count":01}`, `JSON: invalid character at offset 10`},
		{"not a number", `{"count":NaN}`, `JSON: invalid character at offset 9`},
		{"fraction for an integer", `{"count":1.0}`, `JSON: unexpected number at "/count"`},
		{"exponent for an integer", `{"count":1e3}`, `JSON: unexpected number at "/count"`},
		{"integer out of range", `{"count":99999999999999999999}`, `JSON: number out of range at "/count"`},
		{"string for a number", `{"count":"1"}`, `JSON: unexpected string at "/count"`},
		{"list for an object", `{"in":[]}`, `JSON: unexpected array at "/in"`},
		{"other root", `"x"`, `JSON: unexpected string`},
		{"cut", `{"http":"a`, `JSON: ends too early at offset 10`},
		{"too deep", strings.Repeat("[", 65), `JSON: nested deeper than 64 at offset 65`},
		{"far too deep", strings.Repeat(`{"a":`, 1<<20), `JSON: nested deeper than 64 at offset 321`},
		{"long hostile name", `{"` + strings.Repeat("\u202e", 500) + `":1}`, `JSON: unknown name at "/` + strings.Repeat(`\u202e`, 39) + `\xe2\x80"...`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v grant
			err := strictjson.Decode([]byte(c.in), &v)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// The standard library's first JSON accepts these; if it did not, this room would have no reason.
func TestStandardLibraryAcceptsThem(t *testing.T) {
	for _, in := range []string{`{"http":"a","http":"b"}`, `{"HTTP":"a"}`, `{"wat":1}`, "{\"http\":\"\xff\"}", `{"http":"\ud800"}`} {
		var v grant
		if err := stdjson.Unmarshal([]byte(in), &v); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestDeepestValueIsAccepted(t *testing.T) {
	in := strings.Repeat("[", strictjson.MaxDepth) + strings.Repeat("]", strictjson.MaxDepth)
	var v any
	if err := strictjson.Decode([]byte(in), &v); err != nil {
		t.Error(err)
	}
}

func TestEncodeHasOneForm(t *testing.T) {
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"fields in their order, empty ones left out", grant{HTTP: "<a&b>\u2028"}, "{\"http\":\"<a&b>\u2028\"}"},
		{"map names sorted", map[string]int{"b": 1, "a": 2, "é": 3, "Z": 4}, `{"Z":4,"a":2,"b":1,"é":3}`},
		{"raw values compacted, their order and numbers kept", stdjson.RawMessage(` {"z": 1.0, "a": "\u0041\/" } `), `{"z":1.0,"a":"A/"}`},
	} {
		got, err := strictjson.Encode(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"a function":        func() {},
		"invalid UTF-8":     "\xff",
		"raw duplicates":    stdjson.RawMessage(`{"a":1,"a":2}`),
		"raw that is cut":   stdjson.RawMessage(`{"a":`),
		"raw second values": stdjson.RawMessage(`1 2`),
	} {
		if out, err := strictjson.Encode(v); err == nil {
			t.Errorf("%s: encoded as %s", name, out)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", name, err)
		}
	}
}

func TestCompactKeepsEverythingButSpace(t *testing.T) {
	in := []byte("\n{ \"z\" : \"\\u0041 b\",\t\"a\":[ 1.0 , -0 ] } ")
	before := bytes.Clone(in)
	got, err := strictjson.Compact(in)
	if want := `{"z":"\u0041 b","a":[1.0,-0]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if !bytes.Equal(in, before) {
		t.Error("the input was changed")
	}
	if _, err := strictjson.Compact([]byte(`{"a":1,"a":2}`)); err == nil {
		t.Error("a duplicate name was accepted")
	}
}

// FuzzDecode: what is accepted is valid JSON to the standard library too, has one form, and no error
// carries a line break or a character that a terminal would obey.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2.5e3,null,true]}`, `"\ud83d\ude00"`, "{\"a\":\"\u202e\"}", `[[[]]]`, `{"a":1,"a":2}`, `-0`, "\xef\xbb\xbf1", `1e999`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := strictjson.Compact(data); (err == nil) != (strictjson.Judge(data) == nil) {
			t.Fatalf("%q: the short way says %v, the long one %v", data, err, strictjson.Judge(data))
		}
		var v any
		if err := strictjson.Decode(data, &v); err != nil {
			for _, r := range err.Error() {
				if r < ' ' || r > '~' {
					t.Fatalf("error has %U: %q", r, err)
				}
			}
			return
		}
		if !stdjson.Valid(data) {
			t.Fatalf("accepted what is not JSON: %q", data)
		}
		once, err := strictjson.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		var again any
		if err := strictjson.Decode(once, &again); err != nil {
			t.Fatalf("own output refused: %v", err)
		}
		if twice, err := strictjson.Encode(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("two forms: %s and %s, %v", once, twice, err)
		}
		compact, err := strictjson.Compact(data)
		if err != nil {
			t.Fatalf("decoded but not compacted: %v", err)
		}
		if short := jsontext.Value(bytes.Clone(data)); short.Compact() != nil || !bytes.Equal(compact, short) {
			t.Fatalf("compacted to %s, want %s", compact, short)
		}
		if again, err := strictjson.Compact(compact); err != nil || !bytes.Equal(compact, again) {
			t.Fatalf("compacting twice changes it: %s, %v", again, err)
		}
	})
}
