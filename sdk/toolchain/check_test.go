package toolchain_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/toolchain"
)

// A request that no code can use is found in the module, and what go vet says has its place.
func TestCheckComparesRequestsWithImports(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "idle")
	if err := toolchain.New(dir, "go", "idle"); err != nil {
		t.Fatal(err)
	}
	add := func(name, text string) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("servlet.toml", "\n[[capabilities.config]]\nkey = \"NAME\"\nwhy = \"nothing\"\n\n[uses]\ncount = [\"config:NAME\"]\n")
	add("main.go", "\nfunc copies(s struct{ n [1]int }) { for range 1 { return; println(s.n[0]) } }\n")
	report, err := toolchain.Check(t.Context(), dir, cacheDir)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Types || report.Language != "go" {
		t.Errorf("%+v", report)
	}
	var lines []string
	for _, r := range report.Remarks {
		lines = append(lines, r.File+": "+r.Text)
		if r.Hint || r.Line < 2 {
			t.Errorf("%+v", r)
		}
	}
	all := strings.Join(lines, "\n")
	if !strings.Contains(all, "servlet.toml: config is requested, and no code asks for it") || !strings.Contains(all, "main.go: unreachable code") {
		t.Errorf("found %s", all)
	}
}
