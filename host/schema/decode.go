package schema

import (
	"encoding/json"
	"errors"

	"github.com/writ-run/writ/capabilities/strictjson"
)

var errUnreadable = errors.New("JSON: cannot be read")

// decode reads JSON that is known to be strict, without insignificant space, with numbers as they were
// written. It is a fraction of the work of a reader that has to find out whether it is.
func decode(compact []byte) (any, error) {
	d := decoder{data: compact}
	return d.all()
}

type decoder struct {
	data    []byte
	at      int
	failed  bool // it was not what it was said to be
	unusual bool // a number has a point, an exponent or is -0
}

func (d *decoder) all() (any, error) {
	v := d.value()
	if d.failed || d.at != len(d.data) {
		return nil, errUnreadable
	}
	return v, nil
}

// peek is the next byte; 0: there is none.
func (d *decoder) peek() byte {
	if d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

func (d *decoder) value() any {
	switch c := d.peek(); c {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return d.text()
	case 't':
		d.at += len("true")
		return true
	case 'f':
		d.at += len("false")
		return false
	case 'n':
		d.at += len("null")
		return nil
	default:
		if c != '-' && (c < '0' || c > '9') {
			d.failed = true
			return nil
		}
		from := d.at
		for c = d.peek(); c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' || c >= '0' && c <= '9'; c = d.peek() {
			d.unusual = d.unusual || c == '.' || c == 'e' || c == 'E'
			d.at++
		}
		d.unusual = d.unusual || string(d.data[from:d.at]) == "-0"
		return json.Number(d.data[from:d.at])
	}
}

// more steps over a comma, or the end of what was opened.
func (d *decoder) more(end byte) bool {
	c := d.peek()
	d.at++
	if c != end && c != ',' {
		d.failed = true
	}
	return c == ',' && !d.failed
}

func (d *decoder) object() any {
	m := map[string]any{}
	if d.at++; d.peek() == '}' {
		d.at++
		return m
	}
	for {
		name, _ := d.text().(string)
		if d.peek() != ':' {
			d.failed = true
		}
		if d.at++; d.failed {
			return m
		}
		m[name] = d.value()
		if d.failed || !d.more('}') {
			return m
		}
	}
}

func (d *decoder) array() any {
	list := []any{}
	if d.at++; d.peek() == ']' {
		d.at++
		return list
	}
	for {
		list = append(list, d.value())
		if d.failed || !d.more(']') {
			return list
		}
	}
}

func (d *decoder) text() any {
	if d.peek() != '"' {
		d.failed = true
		return nil
	}
	from := d.at
	d.at = strictjson.StringEnd(d.data, from)
	s := d.data[from:d.at]
	for _, c := range s {
		if c == '\\' {
			var text string
			if json.Unmarshal(s, &text) != nil {
				d.failed = true
			}
			return text
		}
	}
	if len(s) < 2 {
		d.failed = true
		return nil
	}
	return string(s[1 : len(s)-1])
}
