package main

import (
	"strings"
	"testing"
)

func TestEditing(t *testing.T) {
	rows := []struct{ name, before, edits, after, contains string }{
		{"one line", "a\nb\nc\n", `[{"oldText":"b","newText":"B"}]`, "a\nB\nc\n",
			"Changed /docs/f.txt:\n\n```diff\n--- a/docs/f.txt\n+++ b/docs/f.txt\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n```"},
		{"several, the second on the result of the first", "a\n", `[{"oldText":"a","newText":"b"},{"oldText":"b","newText":"c"}]`, "c\n", "-a\n+c\n"},
		{"deleting lines", "a\nb\nc\n", `[{"oldText":"b\n","newText":""}]`, "a\nc\n", "-b\n"},
		{"CRLF stays CRLF", "a\r\nb\r\nc\r\n", `[{"oldText":"a\nb","newText":"x\ny\nz"}]`, "x\r\ny\r\nz\r\nc\r\n", ""},
		{"CRLF in the edit is not doubled", "a\r\nb\r\n", `[{"oldText":"a\r\nb","newText":"x\r\ny"}]`, "x\r\ny\r\n", ""},
		{"mixed endings keep what is not touched", "a\r\nb\nc\r\nd\n", `[{"oldText":"c\nd","newText":"C\nD"}]`, "a\r\nb\nC\r\nD\n", ""},
		{"CRLF stays CRLF where only spaces differ", "\ta\r\n\tb\r\nc\r\n", `[{"oldText":"a\n b\n","newText":"x\ny\n"}]`, "\tx\r\n\ty\r\nc\r\n", ""},
		{"mixed endings, one line", "a\r\nb\nc\r\n", `[{"oldText":"b","newText":"B"}]`, "a\r\nB\nc\r\n", ""},
		{"mixed endings, CRLF part", "a\r\nb\r\nc\n", `[{"oldText":"a\nb","newText":"A\nB"}]`, "A\r\nB\r\nc\n", ""},
		{"no line break at the end", "a\nb", `[{"oldText":"b","newText":"c"}]`, "a\nc", "\\ No newline at end of file"},
		{"space around lines may differ", "if x {\n\t\treturn 1\n}\n", `[{"oldText":"  return 1","newText":"  if y {\n    return 2\n  }"}]`,
			"if x {\n\t\tif y {\n\t\t  return 2\n\t\t}\n}\n", ""},
		{"space around the last line", "a\n  b", `[{"oldText":"b ","newText":"c"}]`, "a\n  c", ""},
		{"deny what is not there", "a\n", `[{"oldText":"b","newText":"c"}]`, "", "edit 1 of /docs/f.txt: oldText is not in the file: read the file and copy it exactly; nothing was changed"},
		{"deny what is there twice", "a\na\n", `[{"oldText":"a","newText":"c"}]`, "", "oldText occurs 2 times: add lines around it"},
		{"deny what is there twice but for spaces", " a\n  a\n", `[{"oldText":"a ","newText":"c"}]`, "", "oldText occurs 2 times, apart from spaces"},
		{"deny all when one fails", "a\n", `[{"oldText":"a","newText":"b"},{"oldText":"x","newText":"y"}]`, "", "edit 2 of /docs/f.txt"},
		{"deny an empty text", "a\n", `[{"oldText":"","newText":"b"}]`, "", "edits[0].oldText: the text is too short"},
		{"deny only spaces", "a\n\nb\n", `[{"oldText":"   ","newText":"b"}]`, "", "oldText is not in the file"},
		{"nothing to change", "a\n", `[{"oldText":"a","newText":"a"}]`, "", "stays as it is"},
		{"fences in the text", "```\nx\n```\n", `[{"oldText":"x","newText":"y"}]`, "```\ny\n```\n", "````diff\n"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, dir := inFolder(t, map[string]string{"f.txt": row.before})
			dry := s.Call("edit_file", `{"path":"f.txt","dryRun":true,"edits":`+row.edits+`}`)
			if read(t, dir, "f.txt") != row.before {
				t.Fatal("a dry run wrote")
			}
			r := s.Call("edit_file", `{"path":"f.txt","edits":`+row.edits+`}`)
			if !strings.Contains(r.Text(), row.contains) {
				t.Errorf("answered:\n%s", r.Text())
			}
			want := row.after
			if want == "" {
				want = row.before
			} else if strings.Replace(dry.Text(), "Would change /docs/f.txt (dryRun, nothing was written):", "Changed /docs/f.txt:", 1) != r.Text() {
				t.Errorf("the dry run showed:\n%s\nbut done was:\n%s", dry.Text(), r.Text())
			}
			if got := read(t, dir, "f.txt"); got != want {
				t.Errorf("the file holds %q, want %q", got, want)
			}
		})
	}
}
