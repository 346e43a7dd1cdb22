package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/schema"
)

// A pattern means the same to Writ and to a client, or it is refused: clients compile patterns when
// they read the list of tools, and some drop the whole list over one that they do not know.
func TestPatternsAreThoseOfBothLanguages(t *testing.T) {
	for pattern, want := range map[string]string{
		`^[a-z]+$`:        "",
		`^\p{L}+$`:        "",
		`^(?:a|b)\d{2}\b`: "",
		`^(?<year>\d+)$`:  "",
		`^C:\\A$`:         "", // an escaped backslash, then a letter
		`(?i)abc`:         "(?i)",
		`(?i:abc)`:        "(?i:",
		`(?P<year>\d+)`:   "(?P<",
		`\Aabc\z`:         `\\A`,
		`\Qa.b\E`:         `\\Q`,
		`[[:alpha:]]`:     "[:alpha:]",
		`a(?=b)`:          "looks around",
	} {
		quoted, err := json.Marshal(pattern)
		if err != nil {
			t.Fatal(err)
		}
		_, err = schema.CompileInput([]byte(`{"type":"object","properties":{"x":{"type":"string","pattern":` + string(quoted) + `}}}`))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", pattern, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(want, `\\`, `\`))):
			t.Errorf("%s: %v, want one that names %s", pattern, err, want)
		}
	}
}
