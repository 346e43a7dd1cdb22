package servlet

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"
)

func nilHandler(_ context.Context, in struct{}) (string, error) { return "<>", nil }

// Texts are written as encoding/json writes them.
func FuzzStringsAgree(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/<>&", "\x00\x1f\x7f\b\f\n\r\t", "é\u2028\u2029\ufffd😀", "\xff\xc3", "a\xe2\x80", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); string(got) != string(want) {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	})
}

// reference is a result as encoding/json writes it from maps.
func reference(r Result) map[string]any {
	content := []any{}
	for _, c := range r.Content {
		block := map[string]any{"type": c.Type}
		set := func(key, value string) {
			if value != "" {
				block[key] = value
			}
		}
		switch c.Type {
		case "text":
			block["text"] = c.Text
		case "image", "audio":
			block["data"], block["mimeType"] = append([]byte{}, c.Data...), c.MIMEType
		case "resource_link":
			block["uri"], block["name"] = c.URI, c.Name
			set("mimeType", c.MIMEType)
			set("title", c.Title)
			set("description", c.Description)
		case "resource":
			resource := map[string]any{"uri": c.Resource.URI}
			if c.Resource.MIMEType != "" {
				resource["mimeType"] = c.Resource.MIMEType
			}
			if c.Resource.Blob != nil {
				resource["blob"] = c.Resource.Blob
			} else {
				resource["text"] = c.Resource.Text
			}
			block["resource"] = resource
		}
		content = append(content, block)
	}
	out := map[string]any{"content": content}
	if r.Structured != nil {
		out["structuredContent"] = r.Structured
	}
	if r.IsError {
		out["isError"] = true
	}
	if len(r.Meta) > 0 {
		out["_meta"] = r.Meta
	}
	return out
}

// A result says what it would if encoding/json wrote it.
func FuzzResults(f *testing.F) {
	f.Add("a", "b", []byte{1}, true)
	f.Add("", "", []byte(nil), false)
	f.Add("<\"\n", "\xff", []byte("\x00\xff"), true)
	f.Fuzz(func(t *testing.T, one, two string, data []byte, flag bool) {
		r := Blocks(TextBlock(one), ImageBlock(two, data), AudioBlock(one, nil), LinkBlock(two, one),
			Content{Type: "resource_link", URI: one, Title: two, Description: one, MIMEType: two},
			ResourceBlock(Resource{URI: one, MIMEType: two, Blob: data}), ResourceBlock(Resource{URI: one, Text: two}))
		if r.IsError = flag; flag {
			r.Structured, r.Meta = map[string]any{"k": one}, map[string]any{"m": two}
		}
		got, err := appendResult(nil, r)
		if err != nil || !json.Valid(got) || !utf8.Valid(got) {
			t.Fatalf("%s, %v", got, err)
		}
		want, err := encode(reference(r))
		if err != nil {
			t.Fatal(err)
		}
		if canonical(t, got) != canonical(t, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if text, err := appendResult(nil, Text(one)); err != nil || string(text) != string(appendText(nil, one)) {
			t.Errorf("one text: %s, %v", text, err)
		}
	})
}

// canonical has the members of all objects sorted.
func canonical(t *testing.T, raw []byte) string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(v)
}
