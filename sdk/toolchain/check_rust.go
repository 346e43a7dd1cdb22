package toolchain

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// How cargo and rustc write a message: a line that says what is wrong, one with the place, an excerpt, notes.
var (
	cargoPlace   = regexp.MustCompile(`^ *--> (.+):(\d+):\d+$`)
	cargoHead    = regexp.MustCompile(`^(?:error|warning)(?:\[[^\]]*\])?: `)
	cargoWarning = regexp.MustCompile(`^warning(?:\[[^\]]*\])?: `)
	// what counts the messages above, or says where to read more
	cargoClosing = regexp.MustCompile("^(?:error: could not compile `|error: aborting due to |warning: `[^`]*` \\([^)]*\\) generated |warning: build failed, waiting |warning: [0-9]+ warnings? emitted$|Some errors have detailed explanations: |For more information about )")
)

// addCargo takes a line that belongs to the message above it, or to none; false: it begins a message. The
// messages begin at the remark with the index from. The first place of a message is where it belongs, another
// only tells more.
func (r *CheckReport) addCargo(dir, line string, from int) bool {
	n := len(r.Remarks)
	if n == from {
		return false
	}
	last := &r.Remarks[n-1]
	place := cargoPlace.FindStringSubmatch(line)
	switch {
	case cargoClosing.MatchString(line):
		return true
	case place != nil && last.File == declarationFile:
		last.File, last.Hint = within(dir, place[1]), cargoWarning.MatchString(last.Text)
		last.Line, _ = strconv.Atoi(place[2])
		return true
	case cargoHead.MatchString(last.Text) && !cargoHead.MatchString(line):
		if text := strings.TrimSpace(line); text != "|" {
			last.Text = capabilities.Printable(last.Text+" "+text, 600)
		}
		return true
	}
	return false
}
