package mcpserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// boundParam is an argument that a client must repeat in a header, so that a gateway can decide by
// headers alone. Whoever decides by a header must decide about the value that then runs.
// Source: MCP 2026-07-28, Streamable HTTP, "x-mcp-header".
type boundParam struct {
	path   []string
	header string
}

// boundParams finds the annotations in an input schema. Only properties of properties can carry one.
func boundParams(schema json.RawMessage) ([]boundParam, error) {
	var found []boundParam
	seen := map[string]bool{}
	var walk func(schema json.RawMessage, path []string) error
	walk = func(schema json.RawMessage, path []string) error {
		members, err := object(schema)
		if err != nil {
			return nil // a boolean schema
		}
		if raw, ok := members["x-mcp-header"]; ok && len(path) > 0 {
			var name string
			if json.Unmarshal(raw, &name) != nil || !token(name) {
				return fmt.Errorf("x-mcp-header of %s is not a header name", quote(strings.Join(path, ".")))
			}
			switch rootType(schema) {
			case "string", "integer", "boolean":
			default:
				return fmt.Errorf("x-mcp-header of %s needs one type of string, integer or boolean", quote(strings.Join(path, ".")))
			}
			if seen[strings.ToLower(name)] {
				return fmt.Errorf("x-mcp-header %s is used twice", quote(name))
			}
			seen[strings.ToLower(name)] = true
			found = append(found, boundParam{path: path, header: "Mcp-Param-" + name})
		}
		properties, err := object(members["properties"])
		if err != nil {
			return nil
		}
		for name, property := range properties {
			if err := walk(property, append(path[:len(path):len(path)], name)); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(schema, nil)
	return found, err
}

// token says whether name has the syntax of a header's name (RFC 9110, section 5.6.2).
func token(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// checkParams compares the headers of a call with its arguments.
func checkParams(bound []boundParam, header http.Header, arguments json.RawMessage) error {
	for _, param := range bound {
		values := header.Values(param.header)
		argument := lookup(arguments, param.path)
		if argument == nil || string(argument) == "null" {
			if len(values) > 0 {
				return fmt.Errorf("%s is given without its argument", param.header)
			}
			continue
		}
		if len(values) != 1 {
			return fmt.Errorf("%s must be given once", param.header)
		}
		text, err := decodeHeader(values[0])
		if err != nil {
			return fmt.Errorf("%s: %v", param.header, err)
		}
		if !sameValue(text, argument) {
			return fmt.Errorf("%s does not match its argument", param.header)
		}
	}
	return nil
}

func lookup(value json.RawMessage, path []string) json.RawMessage {
	for _, name := range path {
		members, err := object(value)
		if err != nil {
			return nil
		}
		value = members[name]
	}
	return value
}

// sameValue compares a header's text with a JSON string, boolean or safe integer.
func sameValue(text string, argument json.RawMessage) bool {
	var value any
	if json.Unmarshal(argument, &value) != nil {
		return false
	}
	switch value := value.(type) {
	case string:
		return value == text
	case bool:
		return strconv.FormatBool(value) == text
	case float64:
		number, err := strconv.ParseFloat(text, 64)
		return err == nil && number == value && value == math.Trunc(value) && math.Abs(value) <= 1<<53-1
	}
	return false
}

// decodeHeader reads a header's value, which is =?base64?…?= when it is not plain ASCII.
func decodeHeader(value string) (string, error) {
	inner, ok := strings.CutPrefix(value, "=?base64?")
	if !ok || !strings.HasSuffix(inner, "?=") {
		return value, nil
	}
	text, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(inner, "?="))
	if err != nil {
		return "", fmt.Errorf("its base64 is not valid")
	}
	return string(text), nil
}
