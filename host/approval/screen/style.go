package screen

// style is how a word may also look. The words themselves carry the meaning.
type style int

const (
	plain style = iota
	strong
	alarm
	faint
)

// paint wraps text in an ANSI sequence. Empty text stays empty, so that no style leaks into a gap.
func (s style) paint(text string, color bool) string {
	if !color || text == "" {
		return text
	}
	switch s {
	case strong:
		return "\x1b[1m" + text + "\x1b[0m"
	case alarm:
		return "\x1b[1;31m" + text + "\x1b[0m"
	case faint:
		return "\x1b[2m" + text + "\x1b[0m"
	}
	return text
}
