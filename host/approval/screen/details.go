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
	Effect      string // "can change or delete files", ...
	Given       bool   // whether the operator's choice gives it
	Title       string
	Description string
	Params      []Param
	Signed      json.RawMessage // the signed object, every byte of which reaches the AI
}

// Param is one argument of a tool, from the top level of its input schema.
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

// Details draws every tool: first a summary, then the signed object entire, each line of it behind a
// bar, so that no text of a publisher can pass for a line of Writ's. rest is what else was signed, a
// JSON object.
func Details(tools []Tool, rest json.RawMessage, width int, color bool) string {
	p := &page{width: max(width, MinWidth), color: color}
	p.paragraph(plain, fmt.Sprintf("What your AI is told, %s. Lines behind a bar are the publisher's words as signed.", count(len(tools), "tool")))
	for i, tool := range tools {
		p.line()
		p.tool(i+1, tool)
	}
	p.line()
	p.paragraph(strong, "What else was signed:")
	p.barred(rest)
	return p.text.String()
}

func (p *page) tool(number int, tool Tool) {
	given := "not given"
	if tool.Given {
		given = "given"
	}
	p.paragraph(strong, fmt.Sprintf("%d. %s (%s; %s)", number, tool.Name, tool.Effect, given))
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
		text := fmt.Sprintf("argument %s: %s, %s", Quote(param.Name, maxSummary), Quote(param.Type, maxSummary), need)
		if param.Description != "" {
			text += ", " + Quote(param.Description, maxSummary)
		}
		p.indented(3, plain, text)
	}
	p.indented(3, plain, fmt.Sprintf("as signed, %s:", count(len(tool.Signed), "byte")))
	p.barred(tool.Signed)
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
