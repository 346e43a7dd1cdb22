// Package abi_test holds conversations between a servlet and its host, and has every SDK hold them: the
// same servlet, written in each language, must ask for the same and answer the same.
package abi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// transcript is one file of testdata/abi/transcripts: a call, what it asks its host for, and its answer.
//
// Its first line is "FEATURE: what it shows.", and README.md has a row for each feature. Then, as wanted:
//
//	twice: the answers differ               the call is made twice
//	cancelled: with the first progress      as a client does that no longer waits
//
// Its sections are
//
//	tool           NAME JSON: what is signed about the tool has at least these members
//	call           NAME JSON: the tool and its arguments
//	docs/...       files of the granted folder; after/docs/... is how they are afterwards (else: the same)
//	host           a line for each request: KIND JSON -> JSON, or -> CODE "why"; "together" before it:
//	               answered when all such requests are there
//	log            LEVEL TEXT: lines with that text, in that order; without the section nothing is logged.
//	               SOURCE is the file that the tools are in
//	answer         members of the result
//	fault          the kinds of failure that the call may end with
type transcript struct {
	feature, says string
	twice, cancel bool
	tool          string
	signed        json.RawMessage
	called        string
	arguments     json.RawMessage
	before, after map[string]string
	host          []exchange
	log           []string
	answer        json.RawMessage
	faults        []string
}

// exchange is a line of the section host.
type exchange struct {
	kind     string
	asked    any             // JSON; a request has at least these members
	answer   json.RawMessage // empty: none, or code
	code     string
	why      string
	together bool
}

func readTranscript(file string) (t transcript, err error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return t, err
	}
	lines := strings.Split(strings.TrimSpace(string(archive.Comment)), "\n")
	var ok bool
	if t.feature, t.says, ok = strings.Cut(lines[0], ": "); !ok {
		return t, fmt.Errorf("%s:1: want FEATURE: what it shows", file)
	}
	for _, line := range lines[1:] {
		switch line {
		case "twice: the answers differ":
			t.twice = true
		case "cancelled: with the first progress":
			t.cancel = true
		default:
			return t, fmt.Errorf("%s: %q is no setting", file, line)
		}
	}
	t.before, t.after = map[string]string{}, map[string]string{}
	for _, section := range archive.Files {
		if err := t.read(section.Name, section.Data); err != nil {
			return t, fmt.Errorf("%s: %s: %w", filepath.Base(file), section.Name, err)
		}
	}
	if len(t.after) == 0 {
		t.after = maps.Clone(t.before)
	}
	if t.called == "" && t.tool == "" || t.called != "" && !t.twice && t.answer == nil && t.faults == nil {
		return t, fmt.Errorf("%s: it wants nothing", file)
	}
	return t, nil
}

func (t *transcript) read(section string, data []byte) (err error) {
	switch name, text := section, strings.TrimSpace(string(data)); {
	case name == "tool":
		t.tool, t.signed, err = named(text)
	case name == "call":
		t.called, t.arguments, err = named(text)
	case name == "answer":
		t.answer, err = compact(data)
	case name == "fault":
		t.faults = strings.Fields(text)
	case name == "log":
		t.log = strings.Split(text, "\n")
	case name == "host":
		for line := range strings.Lines(text) {
			e, err := readExchange(strings.TrimSpace(line))
			if err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			t.host = append(t.host, e)
		}
	case strings.HasPrefix(name, "docs/"):
		t.before[path.Clean(strings.TrimPrefix(name, "docs/"))] = string(data)
	case strings.HasPrefix(name, "after/docs/"):
		t.after[path.Clean(strings.TrimPrefix(name, "after/docs/"))] = string(data)
	default:
		err = fmt.Errorf("no such section")
	}
	return err
}

// named reads a word and a JSON value.
func named(text string) (name string, value json.RawMessage, err error) {
	name, rest, _ := strings.Cut(text, " ")
	value, err = compact([]byte(rest))
	return name, value, err
}

func compact(data []byte) (json.RawMessage, error) {
	var out bytes.Buffer
	err := json.Compact(&out, data)
	return out.Bytes(), err
}

func readExchange(line string) (e exchange, err error) {
	line, e.together = strings.CutPrefix(line, "together ")
	kind, rest, _ := strings.Cut(line, " ")
	e.kind = kind
	d := json.NewDecoder(strings.NewReader(rest))
	if err := d.Decode(&e.asked); err != nil {
		return e, err
	}
	rest = strings.TrimSpace(rest[d.InputOffset():])
	if rest == "" {
		return e, nil
	}
	rest, ok := strings.CutPrefix(rest, "-> ")
	if !ok {
		return e, fmt.Errorf("want -> after what is asked")
	}
	if code, why, ok := strings.Cut(rest, " "); ok && code != "" && code[0] >= 'a' && code[0] <= 'z' {
		e.code = code
		return e, json.Unmarshal([]byte(why), &e.why)
	}
	e.answer, err = compact([]byte(rest))
	return e, err
}

// includes tells whether a JSON value has at least what another has: all its members, with their own.
func includes(got, want any) bool {
	members, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	object, ok := got.(map[string]any)
	if !ok {
		return false
	}
	for name, value := range members {
		if name == "headers" {
			if !hasAll(object[name], value) {
				return false
			}
			continue
		}
		if one, ok := object[name]; !ok || !includes(one, value) {
			return false
		}
	}
	return true
}

// hasAll tells whether a list has all entries of another.
func hasAll(got, want any) bool {
	list, _ := got.([]any)
	wanted, _ := want.([]any)
	for _, entry := range wanted {
		found := false
		for _, one := range list {
			found = found || reflect.DeepEqual(one, entry)
		}
		if !found {
			return false
		}
	}
	return true
}

// value is what a JSON text says.
func value(raw []byte) (v any, err error) {
	err = json.Unmarshal(raw, &v)
	return v, err
}
