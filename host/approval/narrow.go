package approval

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
)

// narrow asks about one line of the table.
func (s *Session) narrow(r row) Turn {
	c := s.about.manifest.Capabilities
	switch r.kind {
	case capabilities.KindFS:
		return s.ask("", "Folder for "+r.id+": a path, ro or rw, - for nothing, Enter to go back: ", func(line string) Turn {
			return s.folder(r.id, line)
		})
	case capabilities.KindHTTP:
		i := slices.IndexFunc(c.HTTP, func(h capabilities.HTTP) bool { return h.ID == r.id })
		if i >= 0 && c.HTTP[i].Origin == capabilities.UserOrigin {
			return s.ask("", "Site for "+r.id+": https://..., - for nothing, Enter to go back: ", func(line string) Turn {
				return s.site(r.id, line)
			})
		}
		return s.askAllow(r.id)
	case capabilities.KindKV:
		return s.askAllow(idKV)
	case capabilities.KindWeb:
		return s.askDanger(idWeb)
	case capabilities.KindSecret:
		i := slices.IndexFunc(c.Secrets, func(k capabilities.Secret) bool { return k.Key == r.id })
		if i >= 0 && c.Secrets[i].Use == capabilities.SecretGuest {
			return s.askDanger(secretID(r.id))
		}
		return s.again("It comes and goes with the site that it is for: narrow that line.\n")
	case capabilities.KindConfig:
		return s.again(fmt.Sprintf("It reads only what you set, with: writ config set %s %s VALUE\n", s.plan.Alias, r.id))
	}
	return s.askTools()
}

func (s *Session) folder(id, line string) Turn {
	changed := s.choice.clone()
	dir, chosen := changed.Dirs[id]
	switch line {
	case "":
		return s.show()
	case "-":
		delete(changed.Dirs, id)
		changed.Danger = without(changed.Danger, id)
		return s.try(changed, "")
	case "ro", "rw":
		if !chosen {
			return s.again("Type a path first.\n")
		}
		dir.ReadOnly = line == "ro"
	default:
		// Danger was typed for the folder before, and not for this one.
		changed.Danger = without(changed.Danger, id)
		dir = Directory{Path: line, ReadOnly: dir.ReadOnly}
	}
	changed.setDir(id, dir)
	return s.try(changed, id)
}

func (s *Session) site(id, line string) Turn {
	changed := s.choice.clone()
	switch line {
	case "":
		return s.show()
	case "-":
		delete(changed.Hosts, id)
	default:
		changed.setHost(id, line)
	}
	return s.try(changed, "")
}

func (s *Session) askAllow(id string) Turn {
	return s.ask("", id+": + to give it, - for nothing, Enter to go back: ", func(line string) Turn {
		changed := s.choice.clone()
		changed.Allow = without(changed.Allow, id)
		switch line {
		case "":
			return s.show()
		case "+":
			changed.Allow = append(changed.Allow, id)
		case "-":
		default:
			return s.again("Type + or -.\n")
		}
		return s.try(changed, "")
	})
}

func (s *Session) askDanger(id string) Turn {
	return s.ask("", id+": type DANGER to give it, - for nothing, Enter to go back: ", func(line string) Turn {
		changed := s.choice.clone()
		changed.Danger = without(changed.Danger, id)
		switch line {
		case "":
			return s.show()
		case "DANGER":
			changed.Danger = append(changed.Danger, id)
		case "-":
		default:
			return s.again("Type DANGER in capitals, or -.\n")
		}
		return s.try(changed, "")
	})
}

func (s *Session) askTools() Turn {
	var lines []string
	for i, r := range reachOf(s.about, s.plan.Rights) {
		mark := " "
		if slices.Contains(s.plan.Rights.Tools, r.name) {
			mark = "*"
		}
		lines = append(lines, fmt.Sprintf("%s %3d %s: %s", mark, i+1, r.name, r.effect()))
	}
	lines = append(lines, "* is given now.")
	return s.ask(screen.Lines(lines, s.cfg.Width), "Tools to give: numbers or names, all, reading, - for none, Enter to go back: ", s.pickTools)
}

func (s *Session) pickTools(line string) Turn {
	changed := s.choice.clone()
	switch line {
	case "":
		return s.show()
	case "-":
		changed.Tools = []string{}
	case "all":
		changed.Tools = []string{AllTools}
	case "reading":
		// Judged by what each tool asks for, so that it still only reads when more is given later.
		changed.Tools = namesWhere(reachOf(s.about, asked(s.about.manifest)), reach.readingOnly)
	default:
		names, err := s.toolsNamed(line)
		if err != nil {
			return s.again(s.oneLine(err))
		}
		changed.Tools = names
	}
	return s.try(changed, "")
}

func (s *Session) toolsNamed(line string) ([]string, error) {
	var names []string
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' || r == ',' }) {
		number, err := strconv.Atoi(word)
		switch {
		case err != nil:
			names = append(names, word)
		case number < 1 || number > len(s.about.tools):
			return nil, fmt.Errorf("there is no tool %d: choose 1 to %d", number, len(s.about.tools))
		default:
			names = append(names, s.about.tools[number-1].Name)
		}
	}
	return names, nil
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}
