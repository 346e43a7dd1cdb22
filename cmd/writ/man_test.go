package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Every verb has a page with its sentence, its flags and its examples, in which the formatter finds
// nothing to complain about.
func TestEveryVerbHasAPage(t *testing.T) {
	root := (&app{stdin: os.Stdin}).root()
	pages := manPages(root)
	all := append(verbs(root), root)
	for _, v := range all {
		page := pages[manName(v)+".1"]
		if page == "" {
			t.Errorf("%s has no page", v.CommandPath())
			continue
		}
		for _, want := range append(examples(v), v.CommandPath(), "--json") {
			if !strings.Contains(page, roff(want)) {
				t.Errorf("the page of %s has no %q", v.CommandPath(), want)
			}
		}
		for number, line := range strings.Split(page, "\n") {
			request, _, _ := strings.Cut(line, " ")
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !slices.Contains([]string{".TH", ".SH", ".TP", ".PP", ".nf", ".fi"}, request) {
				t.Errorf("line %d of the page of %s is taken for a request: %s", number+1, v.CommandPath(), line)
			}
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not here to format the pages")
	}
	for name, page := range pages {
		cmd := exec.Command(groff, "-man", "-Tascii", "-ww", "-z")
		cmd.Stdin = strings.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestTextIsNoRequestToTheFormatter(t *testing.T) {
	for text, want := range map[string]string{
		".so /etc/passwd": `\&.so /etc/passwd`, `\f`: `\ef`, "'x": `\(aqx`, "--json": `\-\-json`, "plain": "plain",
	} {
		if got := roff(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
