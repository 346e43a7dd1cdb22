//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs every script of testdata/script against the real binary. A script has a home of
// its own in $WRIT_HOME and a folder of notes in $NOTES.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"flip":     flip,
			"occupy":   occupy,
			"field":    field,
			"truncate": truncate,
			"status":   exitStatus,
			"nobody":   asNobody,
			"hold":     hold,
			"approve":  approve,
			"carrying": carry,
			"publish":  publish,
			"files":    files,
		},
	})
}

func setupScript(env *testscript.Env) error {
	notes := filepath.Join(env.WorkDir, "notes")
	if err := os.MkdirAll(notes, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(notes, "today.txt"), []byte("water the plants\n"), 0o644); err != nil {
		return err
	}
	dot, err := os.Create(filepath.Join(env.WorkDir, "dot.png"))
	if err != nil {
		return err
	}
	if err := errors.Join(png.Encode(dot, image.NewGray(image.Rect(0, 0, 1, 1))), dot.Close()); err != nil {
		return err
	}
	env.Setenv("DOT", dot.Name())
	// Other users must reach the scripts' files: one script runs as nobody.
	for dir := env.WorkDir; strings.Contains(dir, "script"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	env.Setenv("BIN", built.dir)
	env.Setenv("PATH", built.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("WRIT_HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("NOTES", notes)
	env.Setenv("FILESYSTEM", built.filesystem)
	env.Setenv("WEATHER", built.weather)
	env.Setenv("MEMORY", built.memory)
	env.Setenv("SMALL", built.small)
	env.Setenv("KEY", built.key)
	servlets, err := filepath.Abs("../../servlets")
	if err != nil {
		return err
	}
	env.Setenv("SERVLETS", servlets)
	homes, err := filepath.Abs("../../registry/testdata/homes")
	if err != nil {
		return err
	}
	env.Setenv("HOMES", homes)
	if err := warm(filepath.Join(env.WorkDir, "home")); err != nil {
		return err
	}
	// What Go needs to build a servlet; everything else of this environment stays outside.
	for _, name := range []string{"GOROOT", "GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return err
		}
		env.Setenv(name, strings.TrimSpace(string(out)))
	}
	return nil
}

// flip FROM TO BIT writes FROM with one bit inverted.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	bit, err := strconv.Atoi(args[2])
	ts.Check(err)
	if bit < 0 {
		bit += len(data) * 8
	}
	data[bit/8] ^= 1 << (bit % 8)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// truncate FILE N cuts a file to N bytes.
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// occupy NAME listens on a free loopback port until the script ends and sets NAME to its address.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// field NAME PATH sets NAME to a member of the JSON that the last command printed.
func field(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, name := range strings.Split(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			ts.Check(err)
			v = at[i]
		}
	}
	text, ok := v.(string)
	if !ok {
		out, err := json.Marshal(v)
		ts.Check(err)
		text = string(out)
	}
	ts.Setenv(args[0], text)
}

// status N COMMAND ARGS... runs a command that must exit with N and print one line of error, or
// none when N is 0 or 1.
func exitStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
	if lines := strings.Count(ts.ReadFile("stderr"), "\n"); want > 1 && lines != 1 {
		ts.Fatalf("%d lines of error, want one", lines)
	}
}

// approve N FILE FLAGS... installs a servlet as a script of a person does: it shows the plan, then carries
// out its digest, which must exit with N.
func approve(ts *testscript.TestScript, _ bool, args []string) {
	install := append([]string{"install"}, args[1:]...)
	ts.Check(ts.Exec("writ", append(install, "--plan", "--json")...))
	field(ts, false, []string{"DIGEST", "digest"})
	exitStatus(ts, false, append([]string{args[0], "writ"}, append(install, "--approve", ts.Getenv("DIGEST"))...))
}

// carry sets $CARRYING to a folder with a writ that has servlets built in.
func carry(ts *testscript.TestScript, _ bool, _ []string) {
	dir, err := carrying()
	ts.Check(err)
	ts.Setenv("CARRYING", dir)
}

// nobody N ARGS... runs writ as a user who owns the home but may not write it, and must exit with N.
func asNobody(ts *testscript.TestScript, _ bool, args []string) {
	home := ts.Getenv("WRIT_HOME")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := exec.Command(built.writ, args[1:]...)
	cmd.Env = []string{"WRIT_HOME=" + home, "PATH=" + ts.Getenv("PATH")}
	if os.Getuid() == 0 {
		const nobody = 65534
		ts.Check(filepath.Walk(home, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, nobody, nobody)
		}))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	ts.Logf("%s", out)
	if exit, ok := err.(*exec.ExitError); err != nil && !ok || cmd.ProcessState.ExitCode() != want {
		ts.Fatalf("exit %v (%v), want %d", exit, err, want)
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), out, 0o644))
}

// hold FILE keeps the file locked as another process would, until the script ends.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR|os.O_CREATE, 0o600)
	ts.Check(err)
	ts.Check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	ts.Defer(func() { f.Close() })
}
