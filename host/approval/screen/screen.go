// Package screen draws what a person reads before a servlet is approved: plain lines for a terminal
// of any width, in which the publisher's words cannot be taken for Writ's own and meaning never rests
// on colour. It decides nothing and knows no grant: it lays out what it is told.
package screen

import (
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// Width is the width of the text that an approval binds, in columns.
const Width = 80

// MinWidth is the narrowest layout, in columns: a narrower terminal wraps it by itself.
const MinWidth = 40

// View is an approval screen before layout. Every text is escaped again when it is drawn, so that a
// caller who forgets it cannot open the terminal to a publisher.
type View struct {
	Title         string // a line above everything else; empty: none
	Name, Version string
	Signer        string   // "signed by UNKNOWN KEY ab12-... (first time seen; ...)"
	Trusted       bool     // whether Signer is drawn calmly; the words must say it too
	Intro         []string // paragraphs above the table
	Rows          []Row
	Outro         []string // paragraphs below the table
	Warnings      []string // one paragraph each, marked with the word WARNING unless it begins "DANGER: "
}

// Row is one line of the table: what is asked, and what the operator gives for it.
type Row struct {
	Label  string // "files", "web", "tools", ...: at most 6 columns
	Danger bool   // marked with the word DANGER
	Wants  string // Writ's own words
	Gives  string
	Note   string // beside Gives: what changes from one look to the next, "(312 files)", or how to give it
	Said   string // the publisher's reason, shown quoted on a line of its own
}

// maxText bounds one text of a View, in runes. It is far above what a manifest may hold, so that
// nothing of what is granted is cut away.
const maxText = 8192

// dangerMark stands before what is given only by name.
const dangerMark = "DANGER"

// maxSaid bounds a publisher's reason, in runes.
const maxSaid = 140

// Draw lays v out for a terminal of width columns (at least MinWidth). With color, words are
// also styled by ANSI sequences; the text without them is the same.
func Draw(v View, width int, color bool) string {
	p := &page{width: max(width, MinWidth), color: color}
	if v.Title != "" {
		p.paragraph(strong, v.Title)
	}
	p.head(v)
	for _, text := range v.Intro {
		p.paragraph(plain, text)
	}
	p.table(v.Rows)
	for _, text := range v.Outro {
		p.paragraph(plain, text)
	}
	for _, text := range v.Warnings {
		if rest, ok := strings.CutPrefix(text, dangerMark+": "); ok {
			p.marked(dangerMark, rest)
			continue
		}
		p.marked("WARNING", text)
	}
	return p.text.String()
}

// Lines lays out texts of Writ's own one below the other, each wrapped to width columns, its further
// lines indented.
func Lines(texts []string, width int) string {
	p := &page{width: max(width, MinWidth)}
	for _, text := range texts {
		for i, part := range wrap(escape(text), p.width-hanging) {
			p.line(span{plain, strings.Repeat(" ", min(i, 1)*hanging)}, span{plain, part})
		}
	}
	return p.text.String()
}

// hanging is the indentation of what continues a line, in columns.
const hanging = 6

// page collects lines no wider than width.
type page struct {
	text  strings.Builder
	width int
	color bool
}

// span is text of one style.
type span struct {
	style style
	text  string
}

func (p *page) line(spans ...span) {
	last := len(spans) - 1
	for last >= 0 && strings.TrimRight(spans[last].text, " ") == "" {
		last--
	}
	for i := range last + 1 {
		text := spans[i].text
		if i == last {
			text = strings.TrimRight(text, " ")
		}
		p.text.WriteString(spans[i].style.paint(text, p.color))
	}
	p.text.WriteByte('\n')
}

func (p *page) head(v View) {
	name := escape(v.Name + " " + v.Version)
	style := alarm
	if v.Trusted {
		style = strong
	}
	signer := escape(v.Signer)
	indent := columns(name) + 3
	if indent > p.width/2 {
		for i, part := range wrap(name, p.width-3) {
			p.line(span{plain, strings.Repeat(" ", min(3*i, 3))}, span{strong, part})
		}
		p.indented(3, style, signer)
		return
	}
	for i, part := range wrap(signer, p.width-indent) {
		if i == 0 {
			p.line(span{strong, name}, span{plain, "   "}, span{style, part})
			continue
		}
		p.line(span{plain, strings.Repeat(" ", indent)}, span{style, part})
	}
}

func (p *page) paragraph(s style, text string) { p.indented(0, s, escape(text)) }

func (p *page) indented(indent int, s style, text string) {
	for _, part := range wrap(text, p.width-indent) {
		p.line(span{plain, strings.Repeat(" ", indent)}, span{s, part})
	}
}

// marked draws a paragraph that begins with a word in capitals, indented below it.
func (p *page) marked(word, text string) {
	indent := len(word) + 2
	for i, part := range wrap(escape(text), p.width-indent) {
		if i == 0 {
			p.line(span{alarm, word + ":"}, span{plain, " " + part})
			continue
		}
		p.line(span{plain, strings.Repeat(" ", indent) + part})
	}
}

// The table's geometry, in columns.
const (
	cellStart = 10 // " 1 files  "
	sideAt    = 70 // from this width on, the two cells stand side by side
)

func (p *page) table(rows []Row) {
	if len(rows) == 0 {
		return
	}
	half := p.width * 46 / 80
	if p.width < sideAt {
		p.line(span{strong, "It WANTS, and below it what YOU GIVE"})
	} else {
		p.line(span{strong, pad("It WANTS", half) + "YOU GIVE"})
	}
	for i, row := range rows {
		if p.width < sideAt {
			p.stacked(i+1, row)
		} else {
			p.beside(i+1, row, half)
		}
		if row.Said != "" {
			p.indented(cellStart, faint, "publisher says: "+Quote(row.Said, maxSaid))
		}
	}
}

// wants returns the row's left cell: its lines, and the mark that the first one begins with.
func (r Row) wants(width int) (mark string, lines []string) {
	text := escape(r.Wants)
	if r.Danger {
		mark = dangerMark
		text = mark + ": " + text
	}
	return mark, wrap(text, width)
}

func (r Row) gives() string { return strings.TrimSpace(escape(r.Gives) + " " + escape(r.Note)) }

func (r Row) start(number int) string {
	return fmt.Sprintf("%2d %s", number, pad(cut(escape(r.Label), cellStart-4), cellStart-3))
}

func (p *page) beside(number int, row Row, half int) {
	mark, left := row.wants(half - cellStart - 1)
	right := wrap(row.gives(), p.width-half)
	for i := range max(len(left), len(right)) {
		start, cell, given := strings.Repeat(" ", cellStart), "", ""
		if i == 0 {
			start = row.start(number)
		}
		if i < len(left) {
			cell = left[i]
		}
		if i < len(right) {
			given = right[i]
		}
		cell = pad(cell, half-cellStart)
		if i > 0 {
			mark = ""
		}
		p.line(span{plain, start}, span{alarm, mark}, span{plain, cell[len(mark):] + given})
	}
}

func (p *page) stacked(number int, row Row) {
	mark, left := row.wants(p.width - cellStart)
	for i, part := range left {
		start := strings.Repeat(" ", cellStart)
		if i == 0 {
			start = row.start(number)
		} else {
			mark = ""
		}
		p.line(span{plain, start}, span{alarm, mark}, span{plain, part[len(mark):]})
	}
	for i, part := range wrap(row.gives(), p.width-cellStart) {
		start := strings.Repeat(" ", cellStart)
		if i == 0 {
			start = pad("", cellStart-3) + "-> "
		}
		p.line(span{plain, start + part})
	}
}

// escape makes a text of Writ's own safe for a terminal: names and paths inside it may be anyone's.
func escape(s string) string { return calm(capabilities.Printable(s, maxText)) }

// Quote returns a publisher's text in double quotes, escaped and cut to limit runes. A quotation mark
// in it is escaped too: a text that closes its own quotation could go on as if Writ had said it. So
// is every space after a space: padding could move text under a heading of Writ's.
func Quote(s string, limit int) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	s = strings.ReplaceAll(s, "  ", ` \u0020`)
	return `"` + calm(capabilities.Printable(s, limit)) + `"`
}
