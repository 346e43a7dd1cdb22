package strictjson_test

import (
	stdjson "encoding/json"
	"testing"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// What Object writes is what Encode writes, or it says that it cannot.
func FuzzObject(f *testing.F) {
	for _, s := range []string{"", "plain text", `a"b`, `\`, "é", "\x00", "\x7f", "<&>"} {
		f.Add(s, int64(-3), uint64(1<<63), []byte(`{"a":[1.0,"x"]}`))
	}
	f.Add("x", int64(0), uint64(0), []byte(`"\u0041"`))
	f.Fuzz(func(t *testing.T, s string, n int64, u uint64, raw []byte) {
		compact, err := strictjson.Compact(raw)
		if err != nil {
			return
		}
		o := strictjson.NewObject([]byte("before "))
		o.Text("text", s)
		o.Int("n", n)
		o.Raw("raw", compact)
		o.Uint("u", u)
		got, ok := o.Bytes()
		if !ok {
			return
		}
		want, err := strictjson.Encode(struct {
			Text string             `json:"text"`
			N    int64              `json:"n"`
			Raw  stdjson.RawMessage `json:"raw"`
			U    uint64             `json:"u"`
		}{s, n, compact, u})
		if err != nil || string(got) != "before "+string(want) {
			t.Fatalf("got  %s\nwant before %s, %v", got, want, err)
		}
	})
}

func TestObject(t *testing.T) {
	o := strictjson.NewObject(nil)
	o.Text("a", "b c")
	if got, ok := o.Bytes(); !ok || string(got) != `{"a":"b c"}` {
		t.Errorf("%s, %t", got, ok)
	}
	for _, odd := range []string{`"`, `\`, "\n", "é", "\x7f", "\xff"} {
		o := strictjson.NewObject(nil)
		o.Text("a", odd)
		if got, ok := o.Bytes(); ok {
			t.Errorf("%q was written: %s", odd, got)
		}
	}
}
