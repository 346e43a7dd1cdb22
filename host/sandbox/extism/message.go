package extism

import (
	"encoding/json"
	"errors"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// about is the part of a newer request that says what it belongs to.
type about struct {
	ID   string   `json:"id"`
	Meta struct{} `json:"_meta"`
}

// NewerRequest writes a request of ABI writ1 as hyper-mcp's second version has it; an empty one is that
// for a list.
func NewerRequest(input []byte) ([]byte, error) {
	if len(input) == 0 {
		return strictjson.Encode(struct {
			Context about `json:"context"`
		}{about{ID: "list"}})
	}
	var members map[string]json.RawMessage
	if err := strictjson.Decode(input, &members); err != nil {
		return nil, err
	}
	if len(members["params"]) == 0 {
		return nil, errors.New("the request has no params")
	}
	return strictjson.Encode(struct {
		Request json.RawMessage `json:"request"`
		Context about           `json:"context"`
	}{members["params"], about{ID: "call"}})
}
