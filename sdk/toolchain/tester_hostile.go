package toolchain

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/toolchain/calls"
	"github.com/writ-run/writ/sdk/toolchain/hostile"
	"github.com/writ-run/writ/sdk/toolchain/recording"
)

// Bounds of the hostile inputs of one tool.
const (
	hostileWall = 5 * time.Second  // for one call, or the servlet's own time if that is less
	hostileTime = 30 * time.Second // for one tool
	maxFindings = 3                // of one tool; then it is enough
	shrinkTries = 60
	shrinkTime  = 10 * time.Second
	maxPasted   = 4000 // bytes of arguments that a finding shows
)

// HostileReport is how a tool bore the hostile inputs that were made for it.
type HostileReport struct {
	Tool     string    `json:"tool"`
	Made     int       `json:"made"`
	Answered int       `json:"answered"` // by the guest, with an error too
	Refused  int       `json:"refused"`  // by the host, before the guest ran
	Stopped  bool      `json:"stopped,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
}

// Finding is an input that a servlet did not bear.
type Finding struct {
	Why  string `json:"why"`  // what is odd about the input
	What string `json:"what"` // what came of it
	// Call is a call to paste into a file of calls; empty when the input is no JSON or too long to read.
	Call  string `json:"call,omitempty"`
	Where string `json:"where,omitempty"`

	smallest string // arguments that it was shrunk to
}

// hostileFolder is what every folder holds during hostile inputs.
var hostileFolder = calls.Tree{Files: map[string]string{
	"a.txt": "one\ntwo\nthree\n", "b.md": "# Title\n", "empty": "", "binary.png": "\x89PNG\r\n\x1a\n\x00\xff", "folder/inner.txt": "inner\n", "bare/": "",
}}

// hostile gives every tool what hostile.Inputs makes of its schema.
func (t tester) hostile(ctx context.Context) (reports []HostileReport, err error) {
	hints := hostile.Hints{Files: []string{"a.txt", "b.md", "empty", "binary.png", "folder", "bare"}}
	folders := map[string]calls.Folder{}
	for _, f := range t.servlet.Manifest().Capabilities.FS {
		hints.Folders = append(hints.Folders, f.Guest)
		folders[f.ID] = calls.Folder{Start: hostileFolder}
	}
	t.options.Record = false
	for _, tool := range t.servlet.Tools() {
		r := HostileReport{Tool: tool.Name}
		until := time.Now().Add(hostileTime)
		for _, in := range hostile.Inputs(tool.InputSchema, hints, t.options.Hostile, t.options.Seed) {
			if r.Stopped = time.Now().After(until) || len(r.Findings) == maxFindings; r.Stopped {
				break
			}
			if ctx.Err() != nil {
				return reports, context.Cause(ctx)
			}
			r.Made++
			what, where, err := t.bear(ctx, tool.Name, in.Arguments, folders, &r)
			if err != nil {
				return reports, err
			}
			if what == "" && in.Forbidden && t.inputs[tool.Name].Check(in.Arguments) == nil {
				what = "the schema seems to forbid it, and the host lets it through"
			}
			if what == "" {
				continue
			}
			f := t.finding(ctx, tool.Name, in, what, where, folders)
			// Two inputs that shrink to one are one finding.
			if !slices.ContainsFunc(r.Findings, func(known Finding) bool { return known.smallest == f.smallest && known.What == f.What }) {
				r.Findings = append(r.Findings, f)
			}
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// bear makes one call, and says what is wrong with how it ended; "": nothing.
func (t tester) bear(ctx context.Context, tool string, arguments []byte, folders map[string]calls.Folder, r *HostileReport) (what, where string, err error) {
	compact, err := t.inputs[tool].Read(arguments)
	if err != nil {
		r.Refused++
		return "", "", nil
	}
	f := &testFile{kept: &keptHere{}}
	g, err := t.give(f, calls.Call{Tool: tool, Folders: folders})
	if err != nil {
		return "", "", err
	}
	defer g.remove()
	g.network = guard.Network{Tape: recording.File{}.Play("")} // no site answers
	wall := min(hostileWall, time.Duration(g.policy.Limits.WallMS)*time.Millisecond)
	out, err := t.run(ctx, tool, compact, g, wall)
	if err != nil {
		return capabilities.Printable(err.Error(), 200), "", nil
	}
	if out.Fault != nil && out.Fault.Kind == sandbox.FaultCancelled {
		return "", "", context.Cause(ctx)
	}
	what = t.judge(tool, out)
	if what == "" {
		r.Answered++
		return "", "", nil
	}
	return what, t.places.Where(out.Logs, out.Frames), nil
}

// judge says why an outcome is none that a host would pass on; an error that the servlet words itself is.
func (t tester) judge(tool string, out sandbox.Outcome) string {
	if out.Fault != nil {
		if out.Fault.Kind == sandbox.FaultTool {
			return ""
		}
		return fmt.Sprintf("%s: %s", out.Fault.Kind, capabilities.Printable(out.Fault.Text, 200))
	}
	var result struct {
		Content           []json.RawMessage
		StructuredContent json.RawMessage
		IsError           bool
	}
	compact, err := strictjson.Compact(out.Output)
	if err == nil {
		err = json.Unmarshal(compact, &result)
	}
	switch promised := t.outputs[tool]; {
	case err != nil:
		return "the answer is no result: " + capabilities.Printable(err.Error(), 200)
	case result.Content == nil && result.StructuredContent == nil:
		return "the answer has no content"
	case promised == nil || result.IsError:
		return ""
	case result.StructuredContent == nil:
		return "the answer has no structured content, which the outputSchema promises"
	default:
		if err := promised.Check(result.StructuredContent); err != nil {
			return "the answer breaks the outputSchema: " + capabilities.Printable(err.Error(), 200)
		}
	}
	return ""
}

// finding makes the input smaller while the same kind of thing comes of it.
func (t tester) finding(ctx context.Context, tool string, in hostile.Input, what, where string, folders map[string]calls.Folder) Finding {
	arguments := in.Arguments
	if !in.Forbidden {
		until := time.Now().Add(shrinkTime)
		arguments = hostile.Shrink(arguments, shrinkTries, func(smaller []byte) bool {
			if time.Now().After(until) {
				return false
			}
			also, _, err := t.bear(ctx, tool, smaller, folders, &HostileReport{})
			return err == nil && also != "" && firstWord(also) == firstWord(what)
		})
	}
	f := Finding{Why: capabilities.Printable(in.Why, 200), What: what, Where: where, smallest: string(arguments)}
	if compact, err := strictjson.Compact(arguments); err == nil && len(compact) <= maxPasted {
		call := map[string]any{"name": "hostile: " + in.Why, "tool": tool, "arguments": json.RawMessage(compact), "error": ""}
		if needs := slices.Sorted(maps.Keys(folders)); len(needs) > 0 {
			given := map[string]any{}
			for _, id := range needs {
				given[id] = map[string]any{"start": map[string]string{"a.txt": "one\ntwo\nthree\n"}}
			}
			call["folders"] = given
		}
		if raw, err := strictjson.Encode(call); err == nil {
			f.Call = string(capabilities.PrintableJSON(raw))
		}
	}
	return f
}

func firstWord(text string) string {
	for i, r := range text {
		if r == ' ' || r == ':' {
			return text[:i]
		}
	}
	return text
}
