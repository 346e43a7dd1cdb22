package approval

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
)

// SessionConfig sets up a Session.
type SessionConfig struct {
	// Propose plans a choice. It is required, and the only way in which a session learns anything: it
	// looks at the home and at directories, and writes nothing.
	Propose func(Choice) (Plan, error)
	// Count says how much a directory holds ("312 files"); nil: nothing is said. What it says is shown
	// beside the plan and is no part of it.
	Count func(path string) string
	Width int  // columns of the terminal; below screen.MinWidth it is screen.MinWidth
	Color bool // whether words may also be styled
}

// Session asks a person about one servlet: lines go in, texts come out, and at its end stands an
// approval of exactly one plan, or a refusal. It reads no terminal, writes nothing and decides
// nothing by itself: the end of input, and whatever it does not understand, approve nothing.
type Session struct {
	cfg    SessionConfig
	about  subject
	choice Choice
	plan   Plan
	// answer takes the next line; nil when the session is over.
	answer   func(line string) Turn
	prompt   string
	approved bool
}

// Turn is what a session says next.
type Turn struct {
	Text     string // whole lines, to write as they are
	Prompt   string // to write after Text, without a line break; empty when Done
	Done     bool
	Approved bool // only when Done
}

// Interactive is where a session starts: what was named on flags, and Everything for what was not.
func Interactive(m capabilities.Manifest, named Choice) Choice {
	c, all := named.clone(), Everything(m)
	if c.Tools == nil {
		c.Tools = all.Tools
	}
	if c.Allow == nil {
		c.Allow = all.Allow
	}
	return c
}

// NewSession plans choice and returns the session with its first turn.
func NewSession(c *Candidate, choice Choice, cfg SessionConfig) (*Session, Turn, error) {
	return newSession(c.subject(), choice, cfg)
}

func newSession(about subject, choice Choice, cfg SessionConfig) (*Session, Turn, error) {
	s := &Session{cfg: cfg, about: about, choice: choice.clone()}
	plan, err := cfg.Propose(s.choice)
	if err != nil {
		return nil, Turn{}, err
	}
	s.plan = plan
	return s, s.show(), nil
}

// Plan is the plan that was shown last; after an approval, the one that was approved.
func (s *Session) Plan() Plan { return s.plan }

// Choice is the choice that led to Plan.
func (s *Session) Choice() Choice { return s.choice.clone() }

// Input takes one line, without its line break. After the end it only repeats the outcome.
func (s *Session) Input(line string) Turn {
	if s.answer == nil {
		return s.outcome("")
	}
	return s.answer(strings.TrimSpace(line))
}

// End takes the end of input, which refuses.
func (s *Session) End() Turn {
	if s.answer == nil {
		return s.outcome("")
	}
	return s.close(false)
}

func (s *Session) close(approved bool) Turn {
	s.answer, s.approved = nil, approved
	if approved {
		return s.outcome("")
	}
	return s.outcome("Nothing was changed.\n")
}

func (s *Session) outcome(text string) Turn {
	return Turn{Text: text, Done: true, Approved: s.approved}
}

// ask waits for a line that answer will take.
func (s *Session) ask(text, prompt string, answer func(string) Turn) Turn {
	s.answer, s.prompt = answer, prompt
	return Turn{Text: text, Prompt: prompt}
}

// again says what was wrong and asks the same once more.
func (s *Session) again(text string) Turn { return s.ask(text, s.prompt, s.answer) }

// show draws the plan and asks for the decision.
func (s *Session) show() Turn {
	view := s.plan.view
	view.Rows = slices.Clone(view.Rows)
	for i, r := range s.plan.rows {
		if view.Rows[i].Note != "" { // a flag, and here is somebody who need not know it
			view.Rows[i].Note = fmt.Sprintf("(type %d %s)", i+1, s.purpose(r))
		}
		right, ok := s.plan.Rights.FS[r.id]
		if r.kind == capabilities.KindFS && ok && s.cfg.Count != nil {
			view.Rows[i].Note = "(" + s.cfg.Count(right.Path) + ")"
		}
	}
	text := screen.Draw(view, s.cfg.Width, s.cfg.Color) +
		screen.Lines([]string{"Type d for every text that your AI will be told, D for every signed byte."}, s.cfg.Width)
	word := "the servlet's name"
	if s.word() != s.plan.Name {
		word = strconv.Quote(s.word())
	}
	return s.ask(text, "Type "+word+" to approve, a number to narrow, n to refuse: ", s.decide)
}

// purpose says what a line of which nothing is given can be chosen for.
func (s *Session) purpose(r row) string {
	switch r.kind {
	case capabilities.KindFS:
		return "to choose a folder"
	case capabilities.KindHTTP:
		for _, h := range s.about.manifest.Capabilities.HTTP {
			if h.ID == r.id && h.Origin == capabilities.UserOrigin {
				return "to choose a site"
			}
		}
	case "":
		return "to choose"
	}
	return "to give it"
}

// after shows a text that is longer than a terminal, and below it the screen that it is about.
func (s *Session) after(text string) Turn {
	turn := s.show()
	turn.Text = text + "\n" + turn.Text
	return turn
}

// word is what approves: the servlet's name, which a person has to read to type. A name that is
// itself an answer ("n", "2") would be taken for that answer, so it gets a word before it.
func (s *Session) word() string {
	name := s.plan.Name
	if _, err := strconv.Atoi(name); err == nil || slices.Contains([]string{"n", "no", "d", "y", "yes"}, name) {
		return "install " + name
	}
	return name
}

func (s *Session) decide(line string) Turn {
	switch line {
	case "":
		return s.again("")
	case s.word():
		return s.close(true)
	case "n", "no":
		return s.close(false)
	case "d":
		return s.after(s.plan.Details(s.cfg.Width, s.cfg.Color))
	case "D":
		return s.after(s.plan.Signed(s.cfg.Width, s.cfg.Color))
	case "y", "yes":
		return s.again("Type " + s.word() + " in full: it is to be sure which servlet this is about.\n")
	}
	number, err := strconv.Atoi(line)
	switch {
	case err != nil:
		return s.again("That is neither " + s.word() + ", nor a number, d, D or n.\n")
	case number < 1 || number > len(s.plan.rows):
		return s.again(fmt.Sprintf("There is no line %d: choose 1 to %d.\n", number, len(s.plan.rows)))
	}
	return s.narrow(s.plan.rows[number-1])
}

// try plans a changed choice and shows what came of it. A choice that is refused changes nothing, and
// the question stays; one that needs the word DANGER is asked about.
func (s *Session) try(changed Choice, danger string) Turn {
	plan, err := s.cfg.Propose(changed)
	switch {
	case errors.Is(err, ErrDanger) && danger != "":
		before, prompt := s.answer, s.prompt
		return s.ask(s.oneLine(err), "Type DANGER to give it all the same, Enter to go back: ", func(line string) Turn {
			if line != "DANGER" {
				return s.ask("", prompt, before)
			}
			changed.Danger = append(changed.Danger, danger)
			return s.try(changed, "")
		})
	case err != nil:
		return s.again(s.oneLine(err))
	}
	s.choice, s.plan = changed, plan
	return s.show()
}

// oneLine is an error as a text of the session.
func (s *Session) oneLine(err error) string {
	return screen.Lines([]string{strings.ReplaceAll(err.Error(), "\n", "; ")}, s.cfg.Width)
}
