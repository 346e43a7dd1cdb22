package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/testdata/client"
)

// Eight processes add to what one entity is known for, all at once and each many times: every call that is
// acknowledged is there afterwards.
func TestProcessesLoseNothingThatAServletKeeps(t *testing.T) {
	const processes, calls = 8, 6
	dir := exampleFolder(t)
	shell(t, dir, remembering)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	start := make(chan struct{})
	for p := range processes {
		c, err := client.Stdio(ctx, shellCommand(ctx, dir, "exec writ run"))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer c.Close()
			<-start
			for i := range calls {
				add := map[string]any{"observations": []any{map[string]any{"entityName": "Ana", "contents": []string{fmt.Sprintf("fact %d/%d.", p, i)}}}}
				if r, err := c.Call(ctx, "memory_add_observations", add); err != nil || r.IsError {
					t.Errorf("process %d, call %d: %v, %s", p, i, err, r.Text)
				}
			}
		})
	}
	close(start)
	all.Wait()
	out, err := shellCommand(ctx, dir, `writ kv get memory entity/Ana`).Output()
	if err != nil {
		t.Fatal(err)
	}
	var ana struct{ Observations []string }
	if err := json.Unmarshal(out, &ana); err != nil || len(ana.Observations) != processes*calls {
		t.Fatalf("%v: %d observations of %d are there", err, len(ana.Observations), processes*calls)
	}
	for p := range processes {
		for i := range calls {
			if !strings.Contains(string(out), fmt.Sprintf("fact %d/%d.", p, i)) {
				t.Errorf("fact %d/%d is lost", p, i)
			}
		}
	}
	shell(t, dir, "writ audit verify")
}
