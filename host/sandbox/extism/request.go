package extism

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// errRequest is a request that is not what a kit writes.
var errRequest = errors.New("the request is malformed: want an object with url, method and headers")

// Request reads what a plug-in asks of the network: an object with url and, if it likes, method and
// headers. Other members are ignored, null is as good as missing, and the value of a header may be a
// number or a boolean.
func Request(raw []byte) (effect.HTTPRequest, error) {
	var members map[string]json.RawMessage
	if err := strictjson.Decode(raw, &members); err != nil {
		return effect.HTTPRequest{}, errRequest
	}
	req := effect.HTTPRequest{Method: "GET"}
	var method string
	var header map[string]json.RawMessage
	if !read(members["url"], &req.URL) || !read(members["method"], &method) || !read(members["headers"], &header) || req.URL == "" {
		return effect.HTTPRequest{}, errRequest
	}
	if method != "" {
		req.Method = strings.ToUpper(method)
	}
	if len(header) > effect.MaxHeaders {
		return effect.HTTPRequest{}, errors.New("the request has too many headers")
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value, ok := scalar(header[name])
		if !ok {
			return effect.HTTPRequest{}, errRequest
		}
		req.Header = append(req.Header, effect.Header{Name: name, Value: value})
	}
	return req, nil
}

// read decodes a member into v, unless it is missing or null.
func read(raw json.RawMessage, v any) bool {
	return isNull(raw) || strictjson.Decode(raw, v) == nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// scalar is the text of a string, number or boolean.
func scalar(raw json.RawMessage) (text string, ok bool) {
	if strings.IndexByte(`"-0123456789tf`, raw[0]) < 0 {
		return "", false
	}
	if raw[0] != '"' {
		return string(raw), true
	}
	return text, read(raw, &text)
}

// Headers writes the header of an answer as kits read it: names in lower case, and values of the same
// name joined by commas.
func Headers(header []effect.Header) ([]byte, error) {
	joined := map[string]string{}
	for _, h := range header {
		name := strings.ToLower(strings.ToValidUTF8(h.Name, "\uFFFD"))
		value := strings.ToValidUTF8(h.Value, "\uFFFD")
		if before, ok := joined[name]; ok {
			value = before + "," + value
		}
		joined[name] = value
	}
	return strictjson.Encode(joined)
}

// Key is the name under which a manifest declares a setting: plug-ins ask for "api-key" what a manifest
// calls API_KEY. What cannot be one is returned as it is.
func Key(asked string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case c == '-', c == '.', c == ' ':
			return '_'
		}
		return c
	}, asked)
}
