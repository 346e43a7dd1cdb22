package servlet

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Types of arguments: what decoders read, and what they leave to encoding/json.
type (
	plain struct {
		Text  string   `json:"text"`
		Count int8     `json:"count,omitempty"`
		Size  uint16   `json:"size"`
		Rate  float32  `json:"rate"`
		On    bool     `json:"on"`
		Names []string `json:"names"`
		Nums  []int    `json:"nums"`
		Reals []float64
		Skip  string `json:"-"`
		_     int
	}
	named   string
	presets struct {
		Mode  named             `json:"mode" default:"fast"`
		Limit *int              `json:"limit" default:"10"`
		Tags  []named           `json:"tags" default:"[\"a\",\"b\"]"`
		Opt   preset1           `json:"opt"`
		Far   *preset1          `json:"far"`
		List  []preset1         `json:"list"`
		Map   map[string]int64  `json:"map"`
		Deep  map[named]preset1 `json:"deep"`
	}
	preset1 struct {
		A int    `json:"a" default:"7"`
		B string `json:"b"`
	}
	odd struct {
		When time.Time       `json:"when"`
		Raw  json.RawMessage `json:"raw"`
		Any  any             `json:"any"`
		Data []byte          `json:"data"`
	}
	embedding struct {
		preset1
		C string `json:"c"`
	}
	list struct {
		Next *list `json:"next"`
		V    int   `json:"v"`
	}
)

var argumentTypes = []reflect.Type{
	reflect.TypeFor[plain](), reflect.TypeFor[presets](), reflect.TypeFor[odd](), reflect.TypeFor[embedding](), reflect.TypeFor[list](),
	reflect.TypeFor[map[string]plain](), reflect.TypeFor[[]presets](), reflect.TypeFor[struct{}](), reflect.TypeFor[*plain](),
}

var ordinaryTexts = []string{
	`{}`, `{"text":"a","count":-5,"size":65535,"rate":1.5e3,"on":true,"names":["a","\u00e9\n\ud83d\ude00"],"nums":[1,-2,0],"Reals":[0.1,-0,1E-2]}`,
	` { "text" : "é" , "names" : [ ] , "on" : false, "nums" : null }`, `{"mode":"slow","limit":null,"opt":{},"far":{"b":"x"},"list":[{},{"a":1}]}`,
	`{"map":{"a":1,"b":-2},"deep":{"k":{"b":"y"}},"tags":null,"opt":null}`, `[{},{"mode":"x"}]`, `{"k":{"text":"t"}}`,
	`{"names":["\"\\\/\b\f\n\r\t\u0041"]}`,
}

// All of these are left to encoding/json, which takes some of them.
var oddTexts = []string{
	``, `null`, `{`, `{}}`, `{"text"}`, `{"text":}`, `{"text":"a",}`, `{"text":"a" "on":true}`, `{"text":"\ud800"}`, `{"text":"\x"}`, `{"text":"` + "\x01" + `"}`,
	`{"TEXT":"a"}`, `{"te\u0078t":"a"}`, `{"text":"a","text":"b"}`, `{"count":128}`, `{"count":1.0}`, `{"count":1e2}`, `{"size":-1}`, `{"rate":1e99}`, `{"nums":[01]}`,
	`{"nums":[1,]}`, `{"nums":[-]}`, `{"rate":1.}`, `{"rate":.5}`, `{"rate":1e}`, `{"on":truth}`, `{"on":1}`, `{"text":1}`, `{"text":"` + "\xff" + `"}`, `{"nope":1}`, `{"nums":[12345678901234567890]}`,
	`{"nums":[1`, `{"text":"a`, `{"text":"a\`, `{"text":"\u00`, `{"names":[null]}`, `{"next":{"next":{"v":3}},"v":1}`, `{"when":"2026-01-02T03:04:05Z","raw":[1],"any":{"a":1},"data":"AQI="}`, `{"a":1,"b":"x","c":"y"}`,
}

// decodeBoth decodes both ways. fast is whether the fast way was taken.
func decodeBoth(t *testing.T, typ reflect.Type, raw string) (fast bool) {
	e := &entry{in: typ}
	one, two := reflect.New(typ), reflect.New(typ)
	fast = e.decodeOrdinary([]byte(raw), one.Interface())
	err := e.decodeArguments(json.RawMessage(raw), two.Interface())
	switch {
	case !fast && !one.Elem().IsZero():
		t.Errorf("%s into %s: left %+v behind", raw, typ, one.Elem())
	case fast && err != nil:
		t.Errorf("%s into %s: encoding/json refuses it: %v", raw, typ, err)
	case fast && !reflect.DeepEqual(one.Interface(), two.Interface()):
		t.Errorf("%s into %s:\n%+v\nencoding/json makes\n%+v", raw, typ, one.Elem(), two.Elem())
	}
	return fast
}

// What the fast way reads, encoding/json reads in the same way, defaults included.
func TestDecodersAgree(t *testing.T) {
	taken := map[string]int{}
	for _, typ := range argumentTypes {
		for _, raw := range append(ordinaryTexts, oddTexts...) {
			if decodeBoth(t, typ, raw) {
				taken[raw]++
			}
		}
	}
	for _, raw := range ordinaryTexts {
		if taken[raw] == 0 {
			t.Errorf("%s is read the slow way by all types", raw)
		}
	}
	for _, raw := range oddTexts {
		if taken[raw] > 0 {
			t.Errorf("%s is read the fast way", raw)
		}
	}
}

// The types that most tools have are read the fast way.
func TestOrdinaryTypesHaveADecoder(t *testing.T) {
	want := []bool{true, true, false, false, false, true, true, true, true}
	for i, typ := range argumentTypes {
		e := &entry{in: typ}
		if _, err := e.plan(); err != nil || (e.decode != nil) != want[i] {
			t.Errorf("%s: decoder %v, error %v", typ, e.decode != nil, err)
		}
	}
}

func FuzzDecodersAgree(f *testing.F) {
	for _, raw := range append(ordinaryTexts, oddTexts...) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, typ := range argumentTypes {
			decodeBoth(t, typ, raw)
		}
	})
}

// The example of the interface's description is written as Writ writes requests.
func TestDescribedRequestIsOrdinary(t *testing.T) {
	page, err := os.ReadFile("../ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	saved := registered
	defer func() { registered = saved }()
	registered = nil
	AddTool(Tool{Name: "forecast"}, nilHandler)
	for line := range strings.Lines(string(page)) {
		if strings.Contains(line, beforeName) {
			if e, raw := ordinary([]byte(strings.TrimSpace(line))); e == nil || !json.Valid(raw) {
				t.Errorf("not ordinary: %s", line)
			}
			return
		}
	}
	t.Error("ABI.md has no example of a request")
}

// A request that Writ writes is found by its beginning; whatever else is meant by it is read by
// encoding/json.
func TestOrdinaryRequests(t *testing.T) {
	saved := registered
	defer func() { registered = saved }()
	registered = nil
	AddTool(Tool{Name: "one"}, nilHandler)
	AddTool(Tool{Name: "one_more"}, nilHandler)
	const whole = `{"method":"tools/call","params":{"name":"one_more","arguments":{"a":[1]}}}`
	if e, raw := ordinary([]byte(whole)); e != registered[1] || string(raw) != `{"a":[1]}` {
		t.Errorf("found %v, arguments %s", e, raw)
	}
	for _, in := range []string{
		``, `}}`, whole[:len(whole)-2], ` ` + whole, whole + ` `, `{"method":"tools/list","params":{"name":"one","arguments":{}}}`,
		`{"method":"tools/call","params":{"name":"two","arguments":{}}}`,
	} {
		if e, _ := ordinary([]byte(in)); e != nil {
			t.Errorf("%s is taken for an ordinary call of %s", in, e.tool.Name)
		}
	}
	// These begin like one, and their end is no end of arguments.
	for in, want := range map[string]string{
		`{"method":"tools/call","params":{"name":"one","arguments":{},"_meta":{}}}`: `{"content":[{"text":"<>","type":"text"}]}`,
		`{"method":"tools/call","params":{"name":"one","arguments":}}`:              ``,
	} {
		out, err := call(t.Context(), []byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if want != "" && string(out) != want {
			t.Errorf("%s: %s", in, out)
		}
	}
}
