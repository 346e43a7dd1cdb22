package capabilities

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/writ-run/writ/capabilities/strictjson"
)

const maxTool = 160 << 10 // bytes of a tool object

// toolObject is an MCP Tool. Members that are not here are refused.
// Source: Model Context Protocol, revision 2026-07-28, schema.ts, "Tool".
type toolObject struct {
	Name         string                     `json:"name"`
	Title        string                     `json:"title"`
	Description  string                     `json:"description"`
	InputSchema  json.RawMessage            `json:"inputSchema"`
	OutputSchema json.RawMessage            `json:"outputSchema"`
	Annotations  json.RawMessage            `json:"annotations"`
	Icons        json.RawMessage            `json:"icons"`
	Meta         map[string]json.RawMessage `json:"_meta"`
}

// annotations are an MCP tool's hints. A nil hint was not given.
type annotations struct {
	Title           string `json:"title"`
	ReadOnlyHint    *bool  `json:"readOnlyHint"`
	DestructiveHint *bool  `json:"destructiveHint"`
	IdempotentHint  *bool  `json:"idempotentHint"`
	OpenWorldHint   *bool  `json:"openWorldHint"`
}

func said(hint *bool, value bool) bool { return hint != nil && *hint == value }

// ParseTool reads one signed tool object and checks all that can be checked without the rest of its
// manifest. Errors are joined, one line each.
func ParseTool(raw []byte) (Tool, error) {
	r := &report{}
	var whole any
	if err := strictjson.Decode(raw, &whole); err != nil {
		return Tool{}, fmt.Errorf("tool: %w", err)
	}
	checkText(r, "tool", whole)
	t, _ := checkTool(r, "tool", raw)
	if err := r.err(); err != nil {
		return Tool{}, err
	}
	return t, nil
}

// checkTool reads a tool. It is false when too little of it could be read to go on.
func checkTool(r *report, path string, raw []byte) (Tool, bool) {
	if len(raw) > maxTool {
		r.add(path, "has %d bytes: the most is %d", len(raw), maxTool)
		return Tool{}, false
	}
	compact, err := compactObject(raw)
	if err != nil {
		r.add(path, "%v", err)
		return Tool{}, false
	}
	var o toolObject
	var hints annotations
	if err := decodeMembers(compact, &o); err != nil {
		r.add(path, "%v", err)
		return Tool{}, false
	}
	if o.Annotations != nil {
		if err := decodeMembers(o.Annotations, &hints); err != nil {
			r.add(path+".annotations", "%v", err)
			return Tool{}, false
		}
	}
	if !toolForm.MatchString(o.Name) {
		r.add(path+".name", "want 1 to 64 of a-z, 0-9 and \"_\", starting with a letter")
		return Tool{}, false
	}
	checkToolText(r, path, o, hints)
	if said(hints.ReadOnlyHint, true) && said(hints.DestructiveHint, true) {
		r.add(path+".annotations", "readOnlyHint and destructiveHint are both true: keep the one that holds")
	}
	checkMeta(r, path, o)
	checkInput(r, path+".inputSchema", o.InputSchema)
	if o.OutputSchema != nil {
		checkOutput(r, path+".outputSchema", o.OutputSchema)
	}
	readOnly := said(hints.ReadOnlyHint, true)
	return Tool{
		Name:         o.Name,
		Title:        cmp.Or(o.Title, hints.Title),
		Description:  o.Description,
		InputSchema:  o.InputSchema,
		OutputSchema: o.OutputSchema,
		ReadOnly:     readOnly,
		Destructive:  !readOnly && !said(hints.DestructiveHint, false),
		Raw:          compact,
		closedWorld:  said(hints.OpenWorldHint, false),
	}, true
}

// decodeMembers reads an object strictly into v. null is refused where a member may be absent: it
// would be read as absent here and passed on as null to clients that expect a value.
func decodeMembers(raw json.RawMessage, v any) error {
	var members map[string]json.RawMessage
	if err := strictjson.Decode(raw, &members); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if string(members[name]) == "null" {
			return fmt.Errorf("%s is null: give it a value, or leave it out", quoted(name, 64))
		}
	}
	return strictjson.Decode(raw, v)
}

func checkToolText(r *report, path string, o toolObject, hints annotations) {
	if len(o.Description) > maxDescription {
		r.add(path+".description", "has %d bytes: the most is %d", len(o.Description), maxDescription)
	}
	for _, t := range []struct{ path, text string }{{".title", o.Title}, {".annotations.title", hints.Title}} {
		checkLine(r, path+t.path, t.text)
		if len(t.text) > maxTitle {
			r.add(path+t.path, "has %d bytes: the most is %d", len(t.text), maxTitle)
		}
	}
}

func checkMeta(r *report, path string, o toolObject) {
	if o.Icons != nil {
		r.add(path+".icons", "not built yet (icons): remove it, or use a newer Writ")
	}
	for _, key := range slices.Sorted(maps.Keys(o.Meta)) {
		switch {
		case ReservedMeta(key):
			r.add(member(path+"._meta", key), "the prefix is reserved for the protocol and Writ: use a domain of your own")
		case !metaForm.MatchString(key) || len(key) > 128:
			r.add(member(path+"._meta", key), "want a key with a domain of your own, such as \"com.example/key\"")
		}
	}
}
