package capabilities_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

func TestSecretValueIsNeverPrinted(t *testing.T) {
	const text = "canary-0a1b2c"
	v, err := capabilities.NewSecretValue(text)
	if err != nil || v.Reveal() != text {
		t.Fatalf("%q, %v", v.Reveal(), err)
	}
	type holder struct {
		Open   capabilities.SecretValue
		hidden capabilities.SecretValue
		Many   map[string]capabilities.SecretValue
	}
	all := holder{v, v, map[string]capabilities.SecretValue{"k": v}}
	printed := v.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		for _, thing := range []any{v, &v, all, &all, []any{v}, fmt.Errorf("wrapped: %v", v)} {
			printed += fmt.Sprintf(verb, thing)
		}
	}
	encoded, err := json.Marshal(all)
	if err != nil || !strings.Contains(string(encoded), `"Open":"[secret]"`) {
		t.Errorf("%s, %v", encoded, err)
	}
	key, err := json.Marshal(map[capabilities.SecretValue]int{v: 1})
	if err != nil {
		t.Error(err)
	}
	if printed += string(encoded) + string(key); strings.Contains(printed, "canary") || strings.Contains(printed, fmt.Sprintf("%x", text)) {
		t.Errorf("printed %s", printed)
	}
}

func TestWhatCanBeASecret(t *testing.T) {
	for intent, text := range map[string]string{
		"empty": "", "line break": "a\nb", "carriage return": "a\rb", "NUL": "a\x00b", "escape": "a\x1b[2J", "delete": "a\x7f",
		"too long": strings.Repeat("x", capabilities.MaxSecret+1),
	} {
		if v, err := capabilities.NewSecretValue(text); err == nil || v.Reveal() != "" || strings.Contains(err.Error(), "x1b") {
			t.Errorf("%s: accepted, or quoted: %v", intent, err)
		}
	}
	for _, text := range []string{"x", " a b ", "pässword", `{"key":"json"}`, strings.Repeat("x", capabilities.MaxSecret)} {
		if v, err := capabilities.NewSecretValue(text); err != nil || v.Reveal() != text {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}
