package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	servlet "github.com/writ-run/writ/sdk/go"
)

// maxEdited is the largest file that is edited, in bytes. It is held in memory several times.
const maxEdited = 4 << 20

type edit struct {
	OldText string `json:"oldText" min:"1" description:"Text to replace, exactly as in the file, with enough lines around it to occur once"`
	NewText string `json:"newText" description:"Text to put there"`
}

type editInput struct {
	Path   string `json:"path" description:"The file, such as /docs/notes.md or notes.md"`
	Edits  []edit `json:"edits" min:"1" max:"200" description:"The changes, in the order in which they apply"`
	DryRun bool   `json:"dryRun" default:"false" description:"Only show the diff"`
}

func editFile(_ context.Context, in editInput) (string, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	f, size, err := openFile(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if size > maxEdited {
		return "", servlet.Errorf("%s has %s and files up to %s can be edited", p.shown, sizeText(size), sizeText(maxEdited))
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxEdited+1))
	if err != nil {
		return "", docs.explain(err, p)
	}
	if _, err := textOf(raw, p); err != nil {
		return "", err
	}
	before := string(raw)
	after := before
	for i, e := range in.Edits {
		if after, err = apply(after, e); err != nil {
			return "", fmt.Errorf("edit %d of %s: %w; nothing was changed", i+1, p.shown, err)
		}
	}
	if after == before {
		return p.shown + " stays as it is: the edits change nothing.", nil
	}
	name := strings.TrimPrefix(p.shown, "/")
	done := "Would change " + p.shown + " (dryRun, nothing was written):"
	if !in.DryRun {
		if err := replace(p, []byte(after)); err != nil {
			return "", err
		}
		done = "Changed " + p.shown + ":"
	}
	return done + "\n\n" + fenced(unifiedDiff("a/"+name, "b/"+name, before, after)), nil
}

// fenced quotes a diff for Markdown with a fence that the text does not have.
func fenced(diff string) string {
	if len(diff) > maxText {
		return fmt.Sprintf("(the diff is longer than %s and left out)", sizeText(maxText))
	}
	fence := "```"
	for strings.Contains(diff, fence) {
		fence += "`"
	}
	return fence + "diff\n" + diff + fence
}

// apply makes one edit. Line endings of the file stay as they are: in a file with CRLF the edit's texts are
// taken to mean CRLF as well.
func apply(text string, e edit) (string, error) {
	old, replacement := e.OldText, e.NewText
	if crlf, lf := strings.Count(text, "\r\n"), strings.Count(text, "\n"); crlf > 0 && crlf == lf {
		old, replacement = toCRLF(old), toCRLF(replacement)
	} else if crlf > 0 && !strings.Contains(text, old) && strings.Contains(text, toCRLF(old)) {
		old, replacement = toCRLF(old), toCRLF(replacement)
	}
	switch n := strings.Count(text, old); {
	case n == 1:
		return strings.Replace(text, old, replacement, 1), nil
	case n > 1:
		return "", servlet.Errorf("oldText occurs %d times: add lines around it", n)
	}
	return applyLoosely(text, old, replacement)
}

func toCRLF(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// applyLoosely finds whole lines that differ from old only in the space around them, which models get
// wrong, and gives the new lines the indentation of the found ones.
func applyLoosely(text, old, replacement string) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	wanted := strings.Split(trimBreak(old), "\n")
	at, found := 0, 0
	for i := 0; i+len(wanted) <= len(lines); i++ {
		if sameLines(lines[i:i+len(wanted)], wanted) {
			at = i
			found++
		}
	}
	switch {
	case found == 0 || strings.TrimSpace(old) == "":
		return "", servlet.Errorf("oldText is not in the file: read the file and copy it exactly")
	case found > 1:
		return "", servlet.Errorf("oldText occurs %d times, apart from spaces: add lines around it", found)
	}
	matched := lines[at : at+len(wanted)]
	var b strings.Builder
	b.WriteString(strings.Join(lines[:at], ""))
	b.WriteString(reindent(trimBreak(replacement), indentation(wanted[0]), indentation(matched[0])))
	last := matched[len(matched)-1]
	b.WriteString(last[len(strings.TrimRight(last, "\r\n")):])
	b.WriteString(strings.Join(lines[at+len(wanted):], ""))
	return b.String(), nil
}

// trimBreak cuts off one line break at the end.
func trimBreak(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

func sameLines(lines, wanted []string) bool {
	for i := range wanted {
		if strings.TrimSpace(lines[i]) != strings.TrimSpace(wanted[i]) {
			return false
		}
	}
	return true
}

func indentation(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// reindent moves text from one indentation to another, line by line; empty lines stay empty.
func reindent(text, from, to string) string {
	var b bytes.Buffer
	for line := range strings.SplitAfterSeq(text, "\n") {
		if strings.TrimSpace(line) != "" {
			if rest, ok := strings.CutPrefix(line, from); ok {
				line = to + rest
			} else {
				line = to + strings.TrimLeft(line, " \t")
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
