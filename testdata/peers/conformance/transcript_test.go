package conformance

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/writ-run/writ/testdata/guests"
)

// With -update the transcript is written anew, with what Extism's own host answers now.
var update = flag.Bool("update", false, "write testdata/guests/extism/transcript.json anew")

// transcript is what a plug-in without a kit is asked, and what it is known to answer. The sandbox's own
// tests hold Writ to it, where there is no other host.
type transcript struct {
	Settings map[string]string `json:"settings"`
	Cases    []recorded        `json:"cases"`
}

// recorded is one call and its end.
type recorded struct {
	Name    string `json:"name"`
	Input   string `json:"input"`
	Output  string `json:"output,omitempty"`
	Failure string `json:"failure,omitempty"` // what the plug-in says went wrong
	Ended   bool   `json:"ended,omitempty"`   // without a word: a crash, or another code than 0
}

func TestTranscriptIsTheReferences(t *testing.T) {
	const file = "../../guests/extism/transcript.json"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var script transcript
	if err := json.Unmarshal(raw, &script); err != nil {
		t.Fatal(err)
	}
	if len(script.Settings) != len(settings) {
		t.Fatalf("settings %v", script.Settings)
	}
	theirs := newReference(t, guests.Build(t, "extism"))
	for i, c := range script.Cases {
		got := theirs.call(t, "call", []byte(c.Input))
		script.Cases[i].Output, script.Cases[i].Failure, script.Cases[i].Ended = got.output, got.failure, got.crashed
		if !*update && script.Cases[i] != c {
			t.Errorf("%s: the transcript has %+v, the reference answers %+v", c.Name, c, got)
		}
	}
	if *update {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetIndent("", " ")
		if err := enc.Encode(script); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
