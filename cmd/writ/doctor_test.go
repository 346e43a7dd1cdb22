package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Nothing that has expired can be installed, so time passes for the doctor alone.
func TestDoctorNamesExpiredServletsOfEverySpace(t *testing.T) {
	dir := t.TempDir()
	fast := filepath.Join(built.small, "fast.wasm")
	shell(t, dir, `for space in default work; do
  d=$(writ install `+fast+` --tools say --space $space --plan --json | sed -n 's/.*"digest": "\(.*\)".*/\1/p') && writ install `+fast+` --tools say --space $space --approve $d || exit 1
done`)
	a := &app{stdin: os.Stdin, stdout: t.Output(), stderr: t.Output(), getenv: func(string) string { return "" }, homeFlag: filepath.Join(dir, "home"), space: "default"}
	for name, c := range map[string]struct {
		now  time.Time
		want []string // of what is found, its mend
	}{
		"in time": {time.Now(), []string{""}},
		"expired": {time.Now().AddDate(2, 0, 0), []string{"`writ upgrade fast --home", "`writ upgrade fast --space work --home"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &doctor{app: a, now: c.now}
			if err := d.servlets(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(d.found) != len(c.want) {
				t.Fatalf("found %+v", d.found)
			}
			for i, f := range d.found {
				if !strings.HasPrefix(f.Mend, c.want[i]) || (f.State == wrong) != (name == "expired") {
					t.Errorf("found %+v, want to mend it with %s", f, c.want[i])
				}
			}
		})
	}
}
