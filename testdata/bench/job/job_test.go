package job_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/writ-run/writ/testdata/bench/job"
)

func TestArgumentsAreAHundredBytesOfJSON(t *testing.T) {
	for _, i := range []int{0, 1, 1999, 2000, 99_999_999, 100_000_000} {
		raw := job.Arguments(job.Sum, i)
		var a struct {
			Op   string
			Nums []int
			Text string
		}
		if err := json.Unmarshal(raw, &a); err != nil || len(raw) != 100 {
			t.Fatalf("call %d: %d bytes, %v: %s", i, len(raw), err, raw)
		}
		sum := 0
		for _, n := range a.Nums {
			sum += n
		}
		var entry int
		if _, err := fmt.Sscanf(a.Text, "key-%04d ", &entry); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("sum %d, entry %d: %s", sum, entry, a.Text); job.Answer(i) != want {
			t.Errorf("call %d: answer %q, want %q", i, job.Answer(i), want)
		}
	}
}

func TestCheckRefusesAnotherCallsAnswer(t *testing.T) {
	result := func(i int) []byte {
		return fmt.Appendf(nil, `{"content":[{"type":"text","text":%q}]}`, job.Answer(i))
	}
	if err := job.Check(result(7), 7); err != nil {
		t.Error(err)
	}
	if job.Check(result(7), 8) == nil || job.Check(nil, 0) == nil {
		t.Error("the answer to another call passed")
	}
}
