package main

import (
	"strings"
	"testing"
)

func TestBadReferencesGetOneLine(t *testing.T) {
	for ref, want := range map[string]string{
		"":               "name the commit to compare with",
		"no-such-branch": `REF="no-such-branch" names no commit`,
		"--all":          `REF="--all" names no commit`,
		"a\nb":           `REF="a\nb" names no commit`,
	} {
		err := compare(ref, "fresh", 1)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want %s", ref, err, want)
		}
	}
	if err := compare("HEAD", "fresh", 0); err == nil {
		t.Error("no runs were accepted")
	}
}
