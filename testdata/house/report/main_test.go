package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		events string
		good   bool
		want   []string
	}{
		"all passed": {`{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, true, []string{"pass", "1 passed, 0 failed, 0 skipped"}},
		"a failure is shown": {`{"Action":"output","Package":"p","Test":"TestA","Output":"it broke\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, false, []string{"FAIL  p TestA\nit broke"}},
		"a skip is counted with its reason": {`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: no node here\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}`, true, []string{"skip  p TestA: no node here", "1 passed, 0 failed, 1 skipped"}},
		"what does not build fails": {`{"ImportPath":"p","Action":"build-output","Output":"p.go:1: nonsense\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`, false, []string{"p.go:1: nonsense"}},
		"a test that never ended is shown": {`{"Action":"output","Package":"p","Test":"TestA","Output":"goroutine 1 [chan send]:\n"}
{"Action":"fail","Package":"p"}`, false, []string{"NEVER ENDED  p TestA\ngoroutine 1 [chan send]:"}},
		"no test at all fails": {``, false, []string{"0 passed"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := &report{out: &out, lines: map[string]*strings.Builder{}}
			if err := r.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			if good := r.sum(); good != c.good {
				t.Errorf("good %v, want %v", good, c.good)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in:\n%s", want, out.String())
				}
			}
		})
	}
}
