package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/writ-run/writ/cmd/clients/config"
)

// Action is what a change does.
type Action string

// The actions.
const (
	Added     Action = "added"
	Updated   Action = "updated"
	Removed   Action = "removed"
	Unchanged Action = "unchanged"
)

// Change is an edit that was worked out and not yet made.
type Change struct {
	Client  string
	File    string
	Entry   string
	Action  Action
	Before  []byte // of the file; nil when there is none
	After   []byte // empty: the file goes, because nothing else is in it
	syntax  config.Syntax
	at      config.Path
	was     snapshot
	project bool
}

// Connect works out how the file is changed so that the client has the entry. An entry of that name
// that is not Writ's is ErrTaken; a file that is not what it should be is ErrBroken, with the line
// and column. within, for the file of a project, is the project's folder, which links may not leave.
func (c Client) Connect(file, within string, e Entry) (Change, error) {
	fields, err := c.fields(e)
	if err != nil {
		return Change{}, err
	}
	ch, old, err := c.open(file, within, e.Name)
	if err != nil {
		return ch, err
	}
	if old != nil && !old.own(e.Command) {
		return ch, refuse(ErrTaken, "%s has an entry %q that is not Writ's: name another with --name, or take that one out", file, e.Name)
	}
	if ch.After, err = c.syntax.Put(ch.Before, ch.at, fields); err != nil {
		return ch, broken(file, err)
	}
	switch {
	case old == nil:
		ch.Action = Added
	case !bytes.Equal(ch.Before, ch.After):
		ch.Action = Updated
	}
	return ch, nil
}

// Disconnect works out how the entry of that name is taken out, and nothing else.
func (c Client) Disconnect(file, within string, e Entry) (Change, error) {
	ch, old, err := c.open(file, within, e.Name)
	switch {
	case err != nil:
		return ch, err
	case old == nil:
		return ch, nil
	case !old.own(e.Command):
		return ch, refuse(ErrTaken, "the entry %q in %s is not Writ's", e.Name, file)
	}
	if ch.After, err = c.syntax.Drop(ch.Before, ch.at); err != nil {
		return ch, broken(file, err)
	}
	ch.Action = Removed
	return ch, nil
}

// open reads a file and the entry of a name in it.
func (c Client) open(file, within, name string) (Change, *Server, error) {
	ch := Change{Client: c.Name, File: file, Entry: name, Action: Unchanged, syntax: c.syntax, at: config.Path{Key: c.key, Name: name}, project: within != ""}
	was, err := take(file, within, c.syntax.MaxSize())
	if err != nil {
		return ch, nil, err
	}
	ch.was, ch.Before, ch.After = was, was.data, was.data
	root, err := c.syntax.Read(was.data)
	if err != nil {
		return ch, nil, broken(file, err)
	}
	if v := root.Get(c.key).Get(name); v != nil {
		return ch, &Server{Client: c.Name, File: file, Name: name, value: *v}, nil
	}
	return ch, nil, nil
}

func (s *Server) own(self string) bool {
	_, ok := s.Own(self)
	return ok
}

// Apply makes the change. It returns the name of the copy of the file from before, or "" when there
// is none: the file is new, nothing was changed, or the change brought the copy's own bytes back.
//
// There is one copy. It stays the one from before Writ's first change as long as nothing but the
// entry differs from it.
func (ch Change) Apply() (backup string, err error) {
	if ch.Action == Unchanged {
		return "", nil
	}
	limit := ch.syntax.MaxSize()
	if err := ch.was.writable(); err != nil {
		return "", err
	}
	if ch.was.info == nil {
		mode := fs.FileMode(0o600)
		if ch.project {
			mode = 0o644
		}
		return "", ch.was.replace(ch.After, limit, mode)
	}
	kept, err := take(ch.was.backup(), "", limit)
	if err != nil && !errors.Is(err, ErrPlace) {
		return "", err
	}
	restored := ch.Action == Removed && (len(ch.After) == 0 || kept.info != nil && bytes.Equal(kept.data, ch.After))
	if !restored && !ch.keeps(kept) {
		unasked := func() error { return nil }
		if err := install(ch.was.backup(), ch.Before, ch.was.info.Mode().Perm(), ch.was.info, unasked); err != nil {
			return "", fmt.Errorf("copying the file first: %w", err)
		}
	}
	if len(ch.After) == 0 {
		err = ch.was.remove(limit)
	} else {
		err = ch.was.replace(ch.After, limit, 0)
	}
	switch {
	case err != nil:
		return "", err
	case restored && kept.info != nil && bytes.Equal(kept.data, ch.After):
		// The copy is the file now. That it stays behind when it cannot be removed harms nobody.
		_ = os.Remove(ch.was.backup())
		return "", nil
	case restored:
		return "", nil
	}
	return ch.was.backup(), nil
}

// keeps says that the copy is what the file is without the entry, so that no other copy tells more.
func (ch Change) keeps(kept snapshot) bool {
	if kept.info == nil || ch.Action != Updated {
		return false
	}
	without, err := ch.syntax.Drop(ch.Before, ch.at)
	return err == nil && bytes.Equal(without, kept.data)
}

// Diff shows what the change takes out ("- ") and puts in ("+ "), line by line, after the line where it
// begins. It shows nothing else of the file: on the lines around it there may be keys.
func (ch Change) Diff() []string {
	before, after := ch.Before, ch.After
	head := 0
	for head < len(before) && head < len(after) && before[head] == after[head] {
		head++
	}
	for head > 0 && head < max(len(before), len(after)) && !utf8.RuneStart(append(after[head:], before[head:]...)[0]) {
		head--
	}
	if start := bytes.LastIndexByte(before[:head], '\n') + 1; len(bytes.TrimLeft(before[start:head], " \t")) == 0 {
		head = start // an indented line is shown with its indentation
	}
	tail := 0
	for tail < min(len(before), len(after))-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	out := []string{fmt.Sprintf("%s, line %d:", ch.File, 1+bytes.Count(before[:head], []byte("\n")))}
	show := func(mark string, text []byte) {
		for line := range bytes.Lines(text) {
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
				out = append(out, mark+string(line))
			}
		}
	}
	show("- ", before[head:len(before)-tail])
	show("+ ", after[head:len(after)-tail])
	return out
}
