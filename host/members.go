package host

import (
	"bytes"
	"encoding/json"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// What is read here has been through strictjson.Compact: it is one strict JSON value without space. So
// its parts lie between commas, no name is there twice, and nothing has to be checked again for each of
// the values inside.

// membersOf are the members of an object, by name; nil when it is none.
func membersOf(compact json.RawMessage) map[string]json.RawMessage {
	if compact[0] != '{' {
		return nil
	}
	members := map[string]json.RawMessage{}
	for i := 1; compact[i] != '}'; {
		colon := strictjson.StringEnd(compact, i)
		end := valueEnd(compact, colon+1)
		members[textOf(compact[i:colon])] = compact[colon+1 : end : end]
		if i = end; compact[i] == ',' {
			i++
		}
	}
	return members
}

// itemsOf are the items of an array, and whether it is one.
func itemsOf(compact json.RawMessage) (items []json.RawMessage, ok bool) {
	if compact[0] != '[' {
		return nil, false
	}
	for i := 1; compact[i] != ']'; {
		end := valueEnd(compact, i)
		items = append(items, compact[i:end:end])
		if i = end; compact[i] == ',' {
			i++
		}
	}
	return items, true
}

// valueEnd is the index after the value that starts at i.
func valueEnd(compact []byte, i int) int {
	for depth := 0; ; {
		switch compact[i] {
		case '"':
			i = strictjson.StringEnd(compact, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			i++
		}
		if depth == 0 && (i == len(compact) || compact[i] == ',' || compact[i] == '}' || compact[i] == ']') {
			return i
		}
	}
}

// textOf is what a string literal stands for.
func textOf(literal []byte) string {
	if bytes.IndexByte(literal, '\\') < 0 {
		return string(literal[1 : len(literal)-1])
	}
	var s string
	if err := strictjson.Decode(literal, &s); err != nil {
		panic("BUG: a string that was checked cannot be read")
	}
	return s
}
