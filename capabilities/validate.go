package capabilities

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities/strictjson"
)

const (
	maxTools       = 512
	maxSeq         = 1<<53 - 1 // exact in every JSON reader
	maxDescription = 4096      // bytes
	maxTitle       = 128       // bytes
	maxWhy         = 140       // characters
)

// validated checks m and returns it with what parsing learnt: its tools.
func (m Manifest) validated() (Manifest, []Tool, error) {
	if err := checkSchema(m.Schema); err != nil {
		return Manifest{}, nil, err
	}
	payload, err := m.Encode()
	if err != nil {
		return Manifest{}, nil, err
	}
	r := &report{}
	// Every name and string, wherever it stands: a parameter's name, an enum or a comment reaches the
	// model like a description does.
	var whole any
	if err := strictjson.Decode(payload, &whole); err != nil {
		return Manifest{}, nil, err
	}
	checkText(r, "", whole)
	m.checkIdentity(r)
	tools := m.checkTools(r)
	m.Capabilities.check(r)
	m.checkUses(r, tools)
	m.Limits.check(r)
	r.notBuilt(m)
	if err := r.err(); err != nil {
		return Manifest{}, nil, err
	}
	m.names = make([]string, len(tools))
	for i, t := range tools {
		m.names[i] = t.Name
	}
	return m, tools, nil
}

// checkText refuses hidden characters in every name and string of a JSON value.
func checkText(r *report, path string, v any) {
	switch v := v.(type) {
	case string:
		if err := CleanText(v); err != nil {
			r.add(path, "%v", err)
		}
	case []any:
		for i, e := range v {
			checkText(r, fmt.Sprintf("%s[%d]", path, i), e)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if CleanText(name) != nil || strings.ContainsAny(name, "\n\t") {
				r.add(member(path, name), "has hidden or control characters in its name: rename it")
			}
			checkText(r, member(path, name), v[name])
		}
	}
}

// member is the path of a member; names that are not plain are quoted and cut.
func member(path, name string) string {
	if len(name) > 64 || strings.Trim(name, segmentSet) != "" {
		return fmt.Sprintf("%s[%s]", path, quoted(name, 64))
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// checkLine refuses text that would take more than its one line. Hidden characters are found by
// checkText.
func checkLine(r *report, path, text string) {
	if strings.ContainsAny(text, "\n\t") {
		r.add(path, "has a line break or tab: write one line")
	}
}

func (m Manifest) checkIdentity(r *report) {
	if !nameForm.MatchString(m.Name) {
		r.add("name", "want \"name\" or \"publisher/name\" of a-z, 0-9 and inner \"-\", each at most 64 characters")
	}
	if len(m.Description) > maxDescription {
		r.add("description", "has %d bytes: the most is %d", len(m.Description), maxDescription)
	}
	if !semverForm.MatchString(m.Version) || len(m.Version) > 64 {
		r.add("version", "want a semantic version such as 1.4.2")
	}
	if _, err := ParsePublisher(m.Publisher); err != nil {
		r.add("publisher", "%v", err)
	}
	if !isDigest(m.Module.SHA256) {
		r.add("module.sha256", "want a SHA-256 in lower-case hex")
	}
	if m.Module.Size < int64(len(header)) || m.Module.Size > maxModule {
		r.add("module.size", "%d bytes: want %d to %d", m.Module.Size, len(header), maxModule)
	}
	switch {
	case m.Module.ABI == ABI || m.Module.ABI == ABIExtism:
	case abiForm.MatchString(m.Module.ABI):
		r.add("module.abi", "%v (ABI %s)", ErrNewer, m.Module.ABI)
	default:
		r.add("module.abi", "want %q or %q", ABI, ABIExtism)
	}
	m.checkTimes(r)
}

func (m Manifest) checkTimes(r *report) {
	if m.Development() {
		return
	}
	if m.Seq == 0 || m.Seq > maxSeq {
		r.add("seq", "want 1 to %d in a release, with issued and expires: sign with \"writ sign\"", maxSeq)
	}
	issued, errIssued := parseTime(m.Issued)
	expires, errExpires := parseTime(m.Expires)
	if errIssued != nil {
		r.add("issued", "%v", errIssued)
	}
	if errExpires != nil {
		r.add("expires", "%v", errExpires)
	}
	if errIssued == nil && errExpires == nil && !issued.Before(expires) {
		r.add("expires", "want a time after issued")
	}
}

// parseTime reads RFC 3339 in UTC and whole seconds, in its one spelling.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse("2006-01-02T15:04:05Z", s)
	if err != nil || t.Format("2006-01-02T15:04:05Z") != s {
		return time.Time{}, errors.New("want a UTC time such as 2026-11-20T09:00:00Z")
	}
	return t, nil
}

func (m Manifest) checkTools(r *report) []Tool {
	if len(m.Tools) > maxTools {
		r.add("tools", "%d tools: the most is %d", len(m.Tools), maxTools)
		return nil
	}
	seen := map[string]bool{}
	var tools []Tool
	for i, raw := range m.Tools {
		path := fmt.Sprintf("tools[%d]", i)
		t, ok := checkTool(r, path, raw)
		if !ok {
			continue
		}
		if seen[t.Name] {
			r.add(path+".name", "a second tool %s: rename one", t.Name)
		}
		seen[t.Name] = true
		if alias := AliasFor(m.Name); alias != "" {
			if _, err := ToolName(alias, t.Name); err != nil {
				r.add(path+".name", "%s_%s is longer than the %d characters that clients accept: shorten it", alias, t.Name, maxToolName)
			}
		}
		tools = append(tools, t)
	}
	return tools
}

func (l Limits) check(r *report) {
	bound := func(path string, v, least, most int) {
		if v != 0 && (v < least || v > most) {
			r.add("limits."+path, "%d: want %d to %d", v, least, most)
		}
	}
	bound("memory_mb", l.MemoryMB, 1, 1024)
	bound("wall_ms", l.WallMS, 1, 600_000)
	bound("http_calls", l.HTTPCalls, 1, 1000)
	bound("result_kb", l.ResultKB, 1, 4096)
}

// compactObject returns raw without space when it is one JSON object, else an error of one line.
func compactObject(raw json.RawMessage) (json.RawMessage, error) {
	out, err := strictjson.Compact(raw)
	if err != nil {
		return nil, err
	}
	if out[0] != '{' {
		return nil, errors.New("want an object")
	}
	return out, nil
}
