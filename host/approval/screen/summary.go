package screen

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// structural are the names of MCP and JSON Schema that say nothing by themselves, with the values that
// are no texts. Whatever is not among them is a text that a person has to see.
var structural = map[string]bool{
	"name": true, "title": true, "description": true, "inputSchema": true, "outputSchema": true, "annotations": true,
	"readOnlyHint": true, "destructiveHint": true, "idempotentHint": true, "openWorldHint": true,
	"type": true, "properties": true, "required": true, "items": true, "additionalProperties": true,
	"minimum": true, "maximum": true, "minLength": true, "maxLength": true, "minItems": true, "maxItems": true,
	"object": true, "array": true, "string": true, "number": true, "integer": true, "boolean": true, "null": true,
}

// summarized says that the summary of t shows every text of the signed object, and none of them cut:
// a text that only the signed object holds would reach the AI unread.
func (t Tool) summarized() bool {
	shown := make(map[string]bool)
	for _, text := range t.summary() {
		if utf8.RuneCountInString(Quote(text, len(text)*maxEscape))-2 > maxSummary {
			return false
		}
		shown[text] = true
	}
	dec := json.NewDecoder(bytes.NewReader(t.Signed))
	for {
		token, err := dec.Token()
		if err != nil {
			return len(t.Signed) > 0 && errors.Is(err, io.EOF)
		}
		// Numbers and booleans are no texts. Names come as strings too.
		if text, ok := token.(string); ok && !structural[text] && !shown[text] {
			return false
		}
	}
}

// summary lists the texts that are drawn of t.
func (t Tool) summary() []string {
	texts := []string{t.Title, t.Description, t.Called}
	for _, members := range [][]Param{t.Params, t.Results} {
		for _, m := range members {
			texts = append(texts, m.Name, m.Type, m.Description)
		}
	}
	return texts
}
