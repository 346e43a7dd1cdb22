package approval_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
)

// talk feeds lines to a session on d and returns it with its last turn.
func talk(t *testing.T, d approval.Drafted, lines ...string) (*approval.Session, approval.Turn) {
	t.Helper()
	cfg := approval.SessionConfig{Propose: d.Propose, Width: 80, Count: func(string) string { return "so many files" }}
	s, turn, err := d.Session(approval.Interactive(d.Manifest, approval.Choice{}), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		turn = s.Input(line)
	}
	return s, turn
}

func TestOnlyTheNameApproves(t *testing.T) {
	for _, line := range []string{"", "y", "yes", "Y", "ok", "acme", "weather", "ACME/WEATHER", "acme/weather acme/weather", "acme/weathe", "99", "-1", "0", "DANGER", "+", "\x1b[A", "d", "install acme/weather"} {
		if _, turn := talk(t, weather(t), line); turn.Done || turn.Approved || turn.Prompt == "" {
			t.Errorf("%q ends the session: %+v", line, turn)
		}
	}
	s, turn := talk(t, weather(t), "acme/weather")
	if !turn.Done || !turn.Approved {
		t.Errorf("the name does not approve: %+v", turn)
	}
	if plan, err := weather(t).Propose(s.Choice()); err != nil || plan.Digest != s.Plan().Digest {
		t.Errorf("the choice does not lead to the plan that was approved: %v", err)
	}
}

func TestRefusalIsFinal(t *testing.T) {
	for _, line := range []string{"n", "no"} {
		s, turn := talk(t, weather(t), line)
		if !turn.Done || turn.Approved {
			t.Errorf("%q: %+v", line, turn)
		}
		if turn = s.Input("acme/weather"); turn.Approved {
			t.Error("a line after the end approves")
		}
	}
	s, _ := talk(t, weather(t))
	if turn := s.End(); !turn.Done || turn.Approved {
		t.Errorf("the end of input: %+v", turn)
	}
	if turn := s.Input("acme/weather"); turn.Approved {
		t.Error("a line after the end of input approves")
	}
	s, _ = talk(t, weather(t), "acme/weather")
	if turn := s.End(); !turn.Approved {
		t.Error("the end of input takes an approval back")
	}
}

// The name inside a question about one line is an answer to that question, not to the last one.
func TestTheNameApprovesOnlyAtItsQuestion(t *testing.T) {
	for _, number := range []string{"1", "2", "3", "4", "5", "6", "7", "10", "11"} {
		_, turn := talk(t, kitchenSink(t), number)
		if strings.HasPrefix(turn.Prompt, "Type the servlet's name") {
			continue // nothing to choose on that line
		}
		if _, turn = talk(t, kitchenSink(t), number, "acme/kitchen-sink"); turn.Done {
			t.Errorf("line %s: %+v", number, turn)
		}
	}
}

func TestNamesThatAreAnswersNeedAWord(t *testing.T) {
	for _, name := range []string{"n", "no", "d", "y", "yes", "2", "17"} {
		d := clock(t)
		d.Manifest.Name = name
		if _, turn := talk(t, d, name); turn.Approved {
			t.Errorf("%s approves itself", name)
		}
		if _, turn := talk(t, d, "install "+name); !turn.Approved {
			t.Errorf("install %s: %+v", name, turn)
		}
		if _, turn := talk(t, d); !strings.Contains(turn.Prompt, `"install `+name+`"`) {
			t.Errorf("the prompt for %s is %q", name, turn.Prompt)
		}
	}
}

func TestFirstScreenCountsFilesAndDigestDoesNot(t *testing.T) {
	dir := t.TempDir()
	s, turn := talk(t, filesystem(t), "1", dir)
	if !strings.Contains(strings.Join(strings.Fields(turn.Text), " "), "(so many files)") {
		t.Errorf("no count in\n%s", turn.Text)
	}
	if strings.Contains(s.Plan().Text, "so many") {
		t.Error("the count is part of the plan")
	}
	for _, name := range []string{"a", "b/c", "b/d"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := approval.CountFiles(dir); got != "3 files" {
		t.Errorf("counted %s", got)
	}
}

func TestWhatIsMissingSaysHowToGiveIt(t *testing.T) {
	s, turn := talk(t, filesystem(t))
	if text := spaced(turn.Text); !strings.Contains(text, "nothing (type 1 to choose a folder)") || strings.Contains(text, "--dir") {
		t.Errorf("at the screen:\n%s", turn.Text)
	}
	if !strings.Contains(spaced(s.Plan().Text), "nothing (--dir docs=PATH)") {
		t.Errorf("in the plan:\n%s", s.Plan().Text)
	}
	_, turn = talk(t, kitchenSink(t), "3", "-")
	for _, want := range []string{"nothing (type 4 to choose a site)", "nothing (type 3 to give it)", "nothing (type 5 to give it)"} {
		if !strings.Contains(spaced(turn.Text), want) {
			t.Errorf("no %q in\n%s", want, turn.Text)
		}
	}
}

// spaced is the right cells of a table, put together.
func spaced(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if len(line) > 46 && (line[:46] == strings.Repeat(" ", 46) || strings.Contains(line[:4], " ")) {
			out = append(out, line[46:])
		}
	}
	return strings.Join(strings.Fields(strings.Join(out, " ")), " ")
}

func TestNarrowingADirectory(t *testing.T) {
	dir := t.TempDir()
	for _, row := range []struct {
		name  string
		lines []string
		mode  capabilities.Mode
		asks  bool // still at the question
	}{
		{"given", []string{"1", dir}, capabilities.ModeFull, false},
		{"read only", []string{"1", dir, "1", "ro"}, capabilities.ModeRead, false},
		{"read only and back", []string{"1", dir, "1", "ro", "1", "rw"}, capabilities.ModeFull, false},
		{"taken back", []string{"1", dir, "1", "-"}, capabilities.ModeNone, false},
		{"no path yet", []string{"1", "ro"}, capabilities.ModeNone, true},
		{"no such directory", []string{"1", filepath.Join(dir, "none")}, capabilities.ModeNone, true},
		{"left as it is", []string{"1", dir, "1", ""}, capabilities.ModeFull, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, turn := talk(t, filesystem(t), row.lines...)
			if got := s.Plan().Rights.FS["docs"].Mode; got != row.mode {
				t.Errorf("mode is %q, want %q", got, row.mode)
			}
			if asks := strings.HasPrefix(turn.Prompt, "Folder for docs"); asks != row.asks {
				t.Errorf("prompt is %q", turn.Prompt)
			}
		})
	}
}

func TestSensitiveDirectoryIsAskedAboutAgain(t *testing.T) {
	s, turn := talk(t, filesystem(t), "1", "/etc")
	if !strings.Contains(turn.Text, "system's configuration") || !strings.Contains(turn.Prompt, "DANGER") {
		t.Fatalf("got %+v", turn)
	}
	for _, line := range []string{"", "y", "danger", "filesystem"} {
		s, turn := talk(t, filesystem(t), "1", "/etc", line)
		if len(s.Plan().Rights.FS) > 0 || turn.Done {
			t.Errorf("%q gives it", line)
		}
	}
	if turn = s.Input("DANGER"); s.Plan().Rights.FS["docs"].Path != "/etc" || !strings.Contains(turn.Text, "DANGER: /etc") {
		t.Errorf("got %+v", turn)
	}
	// The word holds for that directory only.
	s.Input("1")
	if turn = s.Input("/proc"); !strings.Contains(turn.Prompt, "DANGER") {
		t.Errorf("the next one is given without the word: %+v", turn)
	}
}

func TestNarrowingSitesAndKinds(t *testing.T) {
	sink := kitchenSink(t)
	for _, row := range []struct {
		name  string
		lines []string
		holds func(r capabilities.Rights) bool
	}{
		{"site removed", []string{"3", "-"}, func(r capabilities.Rights) bool { return len(r.HTTP) == 0 }},
		{"site back", []string{"3", "-", "3", "+"}, func(r capabilities.Rights) bool { return len(r.HTTP) == 1 }},
		{"own site", []string{"4", "https://home.example.com"}, func(r capabilities.Rights) bool { return r.HTTP["mine"].Origin == "https://home.example.com" }},
		{"own site removed", []string{"4", "https://home.example.com", "4", "-"}, func(r capabilities.Rights) bool { return len(r.HTTP) == 1 }},
		{"wrong site", []string{"4", "http://home.example.com"}, func(r capabilities.Rights) bool { return len(r.HTTP) == 1 }},
		{"web by the word", []string{"5", "DANGER"}, func(r capabilities.Rights) bool { return r.Web != nil }},
		{"web by less", []string{"5", "+"}, func(r capabilities.Rights) bool { return r.Web == nil }},
		{"web taken back", []string{"5", "DANGER", "5", "-"}, func(r capabilities.Rights) bool { return r.Web == nil }},
		{"secret by the word", []string{"7", "DANGER"}, func(r capabilities.Rights) bool { return r.Secret["LICENCE"] == "guest" }},
		{"data removed", []string{"10", "-"}, func(r capabilities.Rights) bool { return r.KV == nil }},
		{"a line without a choice", []string{"6"}, func(r capabilities.Rights) bool { return r.Secret["SIGNING"] == "egress" }},
		{"egress secret goes with its site", []string{"3", "-"}, func(r capabilities.Rights) bool { return len(r.Secret) == 0 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, turn := talk(t, sink, row.lines...)
			if turn.Done || !row.holds(s.Plan().Rights) {
				t.Errorf("%+v, %+v", turn, s.Plan().Rights)
			}
		})
	}
}

func TestChoosingTools(t *testing.T) {
	reading := "read_text_file read_media_file read_multiple_files list_directory directory_tree search_files get_file_info"
	for _, row := range []struct{ line, want string }{
		{"reading", reading},
		{"1 2", "read_text_file read_media_file"},
		{"2,read_text_file, 2", "read_text_file read_media_file"},
		{"-", ""},
		{"all", reading + " write_file edit_file move_file create_directory"},
		{"rm", reading + " write_file edit_file move_file create_directory"},
		{"12", reading + " write_file edit_file move_file create_directory"},
		{"", reading + " write_file edit_file move_file create_directory"},
	} {
		s, turn := talk(t, filesystem(t), "2", row.line)
		if got := strings.Join(s.Plan().Rights.Tools, " "); got != row.want || turn.Done {
			t.Errorf("%q gives %q", row.line, got)
		}
	}
	if _, turn := talk(t, filesystem(t), "2"); !strings.Contains(turn.Text, "*   1 read_text_file") {
		t.Errorf("the tools are not listed:\n%s", turn.Text)
	}
}

func TestDetailsAreShownOnDemand(t *testing.T) {
	_, first := talk(t, weather(t))
	for line, want := range map[string]string{"d": `description: "The weather of a place."`, "D": `| {`} {
		_, turn := talk(t, weather(t), line)
		// Long as it is, what the person decides about stands right above the question again.
		if !strings.Contains(turn.Text, want) || !strings.HasSuffix(turn.Text, "\n"+first.Text) || turn.Prompt != first.Prompt {
			t.Errorf("%s: got\n%s", line, turn.Text)
		}
	}
}

func TestFlagsAreWhereASessionStarts(t *testing.T) {
	m := kitchenSink(t).Manifest
	c := approval.Interactive(m, approval.Choice{Tools: []string{"read_only"}, Allow: []string{}})
	if len(c.Tools) != 1 || len(c.Allow) != 0 {
		t.Errorf("got %+v", c)
	}
	if c = approval.Interactive(m, approval.Choice{}); c.Tools[0] != "*" || len(c.Allow) != 2 || len(c.Danger) != 0 {
		t.Errorf("got %+v", c)
	}
}

// Whatever is typed, a session ends in an approval only by the name, and never gives more than asked.
func FuzzSession(f *testing.F) {
	f.Add("1\n/etc\nDANGER\nacme/kitchen-sink")
	f.Add("11\n1 2\n5\nDANGER\nd\nn")
	f.Add("4\nhttps://a.example.com\n\n\n3\n-\n")
	sink := kitchenSink(f)
	f.Fuzz(func(t *testing.T, typed string) {
		s, turn, err := sink.Session(approval.Interactive(sink.Manifest, approval.Choice{}), approval.SessionConfig{Propose: sink.Propose, Width: 80})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(typed, "\n") {
			before := turn.Prompt
			turn = s.Input(line)
			if turn.Approved && (strings.TrimSpace(line) != "acme/kitchen-sink" && before != "" || !turn.Done) {
				t.Fatalf("%q approves", line)
			}
			if turn.Done != (turn.Prompt == "") {
				t.Fatalf("done %v with prompt %q", turn.Done, turn.Prompt)
			}
			for line := range strings.Lines(turn.Text) {
				line = strings.TrimSuffix(line, "\n")
				if capabilities.Printable(line, len(line)+1) != line {
					t.Fatalf("draws %q", line)
				}
			}
		}
		if err := capabilities.Subset(s.Plan().Rights, capabilities.Requested(sink.Manifest)); err != nil {
			t.Fatal(err)
		}
	})
}
