package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// maxIDBytes bounds a request id: ids are kept while the request runs and echoed.
const maxIDBytes = 1024

// looseID finds the id of a message that is JSON but not strict JSON, so that the client that sent
// it does not wait for an answer. Of two ids none is believed.
func looseID(data []byte) (found jsonrpc.ID) {
	if !json.Valid(data) {
		return jsonrpc.ID{}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	_, _ = dec.Token() // "{", as the data is valid
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err != nil || dec.Decode(&value) != nil {
			return jsonrpc.ID{}
		}
		if name != "id" {
			continue
		}
		if found.IsValid() {
			return jsonrpc.ID{}
		}
		if found, err = parseID(value); err != nil {
			return jsonrpc.ID{}
		}
	}
	return found
}

var integer = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// parseID reads a request id or a progress token: a string, or an integer that every JSON library
// keeps exactly. A null id would make a request look like a notification to half of the world.
func parseID(raw json.RawMessage) (jsonrpc.ID, error) {
	if len(raw) > maxIDBytes {
		return jsonrpc.ID{}, fmt.Errorf("an id is at most %d bytes long", maxIDBytes)
	}
	var value any
	switch {
	case len(raw) > 0 && raw[0] == '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return jsonrpc.ID{}, fmt.Errorf("an id must be a string or an integer")
		}
		value = text
	case integer.Match(raw):
		number, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || math.Abs(number) > 1<<53-1 {
			return jsonrpc.ID{}, fmt.Errorf("an integer id is between -(2^53-1) and 2^53-1")
		}
		value = number
	default:
		return jsonrpc.ID{}, fmt.Errorf("an id must be a string or an integer")
	}
	return jsonrpc.MakeID(value)
}
