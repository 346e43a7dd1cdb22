package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlEditor reads and edits TOML. An entry is the table [KEY.NAME] with the tables below it.
type tomlEditor struct{}

var _ editor = tomlEditor{}

func (tomlEditor) read(data []byte) (Value, error) {
	var root map[string]any
	if err := toml.Unmarshal(data, &root); err != nil {
		var broken *toml.DecodeError
		if !errors.As(err, &broken) {
			return Value{}, &SyntaxError{1, 1, errors.New("this is no TOML")}
		}
		line, column := broken.Position()
		return Value{}, &SyntaxError{line, column, errors.New("this is no TOML: " + strings.TrimPrefix(broken.Error(), "toml: "))}
	}
	return fromTOML(root), nil
}

func fromTOML(x any) Value {
	switch x := x.(type) {
	case map[string]any:
		out := Value{Kind: Table}
		for _, name := range slices.Sorted(maps.Keys(x)) {
			out.Members = append(out.Members, Member{name, fromTOML(x[name])})
		}
		return out
	case []any:
		out := Value{Kind: List}
		for _, item := range x {
			out.Items = append(out.Items, fromTOML(item))
		}
		return out
	case string:
		return Value{Kind: String, Text: x}
	}
	return Value{Text: fmt.Sprint(x)}
}

// expression is a table's header or a line with a key and a value.
type expression struct {
	header  bool
	key     []string // from the root
	at, end int      // of its lines, the last newline included
	value   int      // where the value begins
	stop    int      // where it ends
}

// expressions lists the lines of a valid file.
func expressions(data []byte) ([]expression, error) {
	var out []expression
	var table []string
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		node := p.Expression()
		var key []string
		e := expression{at: -1}
		for it := node.Key(); it.Next(); {
			raw := it.Node().Raw
			if e.at < 0 {
				e.at = lineStart(data, int(raw.Offset))
			}
			e.value = int(raw.Offset + raw.Length)
			key = append(key, string(it.Node().Data))
		}
		if node.Kind != unstable.KeyValue {
			table = key
			e.header, e.key, e.end = true, key, lineEnd(data, e.value)
		} else {
			e.key = append(slices.Clone(table), key...)
			e.stop = int(node.Raw.Offset + node.Raw.Length)
			for strings.IndexByte(" \t=", data[e.value]) >= 0 {
				e.value++
			}
			e.end = lineEnd(data, e.stop)
		}
		out = append(out, e)
	}
	return out, p.Error()
}

// below says that e belongs to the entry at a place, or is it.
func (e expression) below(at Path) bool {
	return len(e.key) >= 2 && e.key[0] == at.Key && e.key[1] == at.Name
}
