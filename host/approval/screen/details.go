package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// Tool is one tool as the details show it.
type Tool struct {
	Name        string // as the AI will see it, with the alias
	Called      string // as it was signed
	Effect      string // "can change or delete files", ...
	Given       bool   // whether the operator's choice gives it
	Title       string
	Description string
	Params      []Param
	Results     []Param         // from its output schema
	Signed      json.RawMessage // the signed object, every byte of which reaches the AI
	Before      json.RawMessage // the same in the version that would be replaced, where it was another; nil: none, or the same
}

// Param is one argument of a tool, or one member of its result, from the top level of a schema.
type Param struct {
	Name        string
	Type        string
	Required    bool
	Description string
}

// maxSummary cuts the texts of a summary, in runes. The signed text below it is never cut.
const maxSummary = 400

// maxEscape is the length of the longest escape of one byte or rune, in runes.
const maxEscape = len(`\U0010ffff`)

// Details draws every text of every tool. Where a summary would leave out or cut any of them, the
// signed object follows entire, each line of it behind a bar, so that no text of a publisher can pass
// for a line of Writ's.
func Details(tools []Tool, width int, color bool) string {
	p := &page{width: max(width, MinWidth), color: color}
	p.paragraph(plain, fmt.Sprintf("What your AI is told, %s. What is quoted or behind a bar is the publisher's.", count(len(tools), "tool")))
	for i, tool := range tools {
		p.line()
		p.tool(i+1, tool)
		if !tool.summarized() || tool.Before != nil {
			p.signed(tool)
		}
		if tool.Before != nil {
			p.indented(3, strong, fmt.Sprintf("CHANGED; until now it was, %s:", count(len(tool.Before), "byte")))
			p.barred(tool.Before)
		}
	}
	return p.text.String()
}

// Signed draws the signed object of every tool entire, and rest, a JSON object, which is all else that
// was signed.
func Signed(tools []Tool, rest json.RawMessage, width int, color bool) string {
	p := &page{width: max(width, MinWidth), color: color}
	p.paragraph(plain, "What was signed. Lines behind a bar are the publisher's.")
	for i, tool := range tools {
		p.line()
		p.heading(i+1, tool)
		p.signed(tool)
	}
	p.line()
	p.paragraph(strong, "What else was signed:")
	p.barred(rest)
	return p.text.String()
}

func (p *page) heading(number int, tool Tool) {
	given := "not given"
	if tool.Given {
		given = "given"
	}
	p.paragraph(strong, fmt.Sprintf("%d. %s (%s; %s)", number, tool.Name, tool.Effect, given))
}

func (p *page) signed(tool Tool) {
	p.indented(3, plain, fmt.Sprintf("as signed, %s:", count(len(tool.Signed), "byte")))
	p.barred(tool.Signed)
}

func (p *page) tool(number int, tool Tool) {
	p.heading(number, tool)
	if tool.Title != "" {
		p.indented(3, plain, "title: "+Quote(tool.Title, maxSummary))
	}
	if tool.Description != "" {
		p.indented(3, plain, "description: "+Quote(tool.Description, maxSummary))
	}
	for _, param := range tool.Params {
		need := "optional"
		if param.Required {
			need = "required"
		}
		p.member("argument", need, param)
	}
	for _, member := range tool.Results {
		need := "sometimes"
		if member.Required {
			need = "always"
		}
		p.member("result", need, member)
	}
}

func (p *page) member(what, need string, m Param) {
	text := fmt.Sprintf("%s %s: %s, %s", what, Quote(m.Name, maxSummary), Quote(m.Type, maxSummary), need)
	if m.Description != "" {
		text += ", " + Quote(m.Description, maxSummary)
	}
	p.indented(3, plain, text)
}

// barred draws a JSON text with line breaks and indentation added, and no other change.
func (p *page) barred(raw []byte) {
	var spread bytes.Buffer
	if err := json.Indent(&spread, raw, "", " "); err != nil {
		spread.Reset()
		spread.Write(raw)
	}
	for line := range strings.SplitSeq(spread.String(), "\n") {
		line = calm(capabilities.Printable(line, len(line)*maxEscape)) // a limit that cuts nothing
		for _, part := range chop(line, p.width-5) {
			p.line(span{plain, "   | "}, span{faint, part})
		}
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
