package approval

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
	"github.com/writ-run/writ/registry"
)

// Text that a tool has no need of. A model cannot tell a description from an order, so words that
// speak of other tools, of the person or of the model's other instructions are shown before approval.
// They are a warning and not a wall: what a tool can do is decided by its grant.
//
// They are made when something is approved first: to make them takes every start a millisecond otherwise.
var steering = sync.OnceValue(func() []sign {
	return []sign{
		{"speaks of when other tools run", regexp.MustCompile(`(?i)\b(before|after|instead of|when|whenever)\s+(you\s+)?(us(e|ing)|call(ing)?|invok(e|ing)|run(ning)?)\s+(any|all|every|other|another|the other)\b`)},
		{"speaks of when other tools run", regexp.MustCompile(`(?i)\b(before|after|instead of|prior to)\s+(using|calling|invoking)\b`)},
		{"wants to come first or always", regexp.MustCompile(`(?i)\b(always|must)\s+(be\s+)?(first\s+)?(call(ed)?|use[d]?|invoke[d]?|run)\s+(this|first|before)\b|\bcall(ed)? this (tool )?first\b`)},
		{"overrides instructions", regexp.MustCompile(`(?i)\b(ignore|disregard|forget|override|bypass)\s+(all\s+|any\s+|your\s+|the\s+|these\s+|previous\s+|prior\s+|other\s+|earlier\s+)+(instructions?|rules?|guidelines?|prompts?|context|messages?|safety)`)},
		{"overrides instructions", regexp.MustCompile(`(?i)\b(new|updated|real|actual)\s+(system\s+)?instructions?\s*:|\byou are now\b|\bfrom now on\b`)},
		{"hides something from the person", regexp.MustCompile(`(?i)\b(do not|don't|never|without)\s+(tell|telling|inform|informing|notify|notifying|mention|mentioning|show|showing|reveal|revealing|ask|asking|alert|alerting)\b[^.]{0,40}\b(user|human|person|anyone|them|this|it)\b`)},
		{"hides something from the person", regexp.MustCompile(`(?i)\b(secretly|silently|covertly|behind the scenes)\b`)},
		{"marks itself as an order", regexp.MustCompile(`(?i)<\s*/?\s*(important|system|instructions?|secret|admin|assistant|user|critical|override)\s*>|\[\s*(system|inst|important)\s*\]|<\|[a-z_]+\|>`)},
		{"presses", regexp.MustCompile(`\b(IMPORTANT|CRITICAL|URGENT|MANDATORY|WARNING)\b\s*[:!]|(?i:\b(immediately|at once|right now),? (call|use|send|run|read)\b)`)},
		{"asks for what it has no need of", regexp.MustCompile(`(?i)~?/?\.(ssh|aws|gnupg|cursor|claude)\b|\bid_(rsa|ed25519)\b|\b(api[ _-]?keys?|passwords?|credentials?|private keys?|system prompt|conversation history|chat history|previous messages)\b[^.]{0,60}\b(pass|send|include|append|attach|copy|put|provide)\b|\b(pass|send|include|append|attach|copy|put|provide)\b[^.]{0,60}\b(api[ _-]?keys?|passwords?|credentials?|private keys?|system prompt|conversation history|chat history|previous messages)\b`)},
		{"speaks of other tools' servers", regexp.MustCompile(`(?i)\b(other|another|all|every)\s+(mcp\s+)?(tools?|servers?|servlets?)\b`)},
	}
})

// sign is text of which a person is warned.
type sign struct {
	what string
	form *regexp.Regexp
}

// maxExcerpt bounds what a warning quotes, in runes.
const maxExcerpt = 60

// maxSteering bounds how many warnings of one servlet's texts are listed.
const maxSteering = 8

// steers flags tool text that steers the model away from what was asked: one warning per tool and
// reason. Every string of the signed object is read, names included: all of them reach the model.
func steers(tools []capabilities.Tool, installed []registry.Installation) []string {
	var found []string
	for _, tool := range tools {
		var whole any
		if json.Unmarshal(tool.Raw, &whole) != nil {
			continue // it was verified; what cannot be read says nothing
		}
		texts := allText(whole, nil)
		seen := map[string]bool{}
		flag := func(what, excerpt string) {
			if !seen[what] {
				seen[what] = true
				found = append(found, fmt.Sprintf("tool %s: its text %s: %s", tool.Name, what, screen.Quote(excerpt, maxExcerpt)))
			}
		}
		for _, text := range texts {
			for _, s := range steering() {
				if at := s.form.FindStringIndex(text); at != nil {
					flag(s.what, excerpt(text, at))
				}
			}
			for _, in := range installed {
				if name := otherTool(text, in); name != "" {
					flag("names a tool of "+in.Alias, name)
				}
			}
		}
	}
	if len(found) > maxSteering {
		more := len(found) - maxSteering
		found = append(found[:maxSteering], fmt.Sprintf("%s more in its texts: read them before you approve.", counted(more, "such phrase")))
	}
	return found
}

// excerpt returns the match with a little of what stands before it.
func excerpt(text string, at []int) string {
	start := max(0, at[0]-12)
	for start < at[0] && !startsRune(text[start]) {
		start++
	}
	end := min(len(text), at[1]+24)
	for end < len(text) && !startsRune(text[end]) {
		end++
	}
	return text[start:end]
}

func startsRune(b byte) bool { return b&0xc0 != 0x80 }

// otherTool returns the name of an installed servlet's tool that text speaks of.
func otherTool(text string, in registry.Installation) string {
	for _, tool := range in.Grant.Rights.Tools {
		if name, err := capabilities.ToolName(in.Alias, tool); err == nil && strings.Contains(text, name) {
			return name
		}
	}
	return ""
}

func allText(v any, texts []string) []string {
	switch v := v.(type) {
	case string:
		texts = append(texts, v)
	case []any:
		for _, e := range v {
			texts = allText(e, texts)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			texts = allText(v[name], append(texts, name))
		}
	}
	return texts
}
