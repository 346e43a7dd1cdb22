package toolchain_test

import (
	"os"
	"regexp"
	"testing"
)

var exampleBlocks = regexp.MustCompile("(?s)```ts\n(.*?)```.*?```toml\n(.*?)```")

// The examples of the SDK's README are servlets.
func TestTypeScriptExamplesBuild(t *testing.T) {
	readme, err := os.ReadFile("../typescript/README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := exampleBlocks.FindAllSubmatch(readme, -1)
	if len(examples) != 2 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, e := range examples {
		dir := scriptIn(t, map[string]string{"main.ts": string(e[1]), "servlet.toml": string(e[2])})
		if _, made, err := buildIn(t, dir); err != nil || len(made.Tools) != 1 {
			t.Errorf("%s: %v", made.Tools, err)
		}
	}
}
