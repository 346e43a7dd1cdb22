package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// CommandEnv names the built command for variants that go through it.
const CommandEnv = "WRIT_ATTACKED_COMMAND"

// NoCommand tells why there is no built command to attack; empty: there is one.
func NoCommand() string {
	if os.Getenv(CommandEnv) == "" {
		return "the command was not built for this run"
	}
	return ""
}

// Signed is a servlet file of a module under a publisher's signature.
func Signed(module []byte, m capabilities.Manifest) ([]byte, error) {
	return capabilities.Seal(module, m, Key("publisher"))
}

// commandPatience is how long one run of the command may take. Reading a servlet takes it milliseconds.
const commandPatience = 20 * time.Second

// Command runs the built command with a home and returns what it said and its exit status.
func Command(home string, args ...string) (stdout, stderr string, status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(CommandEnv), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errs, append(os.Environ(), "WRIT_HOME="+home)
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", "", 0, fmt.Errorf("writ %s did not end within %v", strings.Join(args, " "), commandPatience)
	case err != nil && !errors.As(err, &exit):
		return "", "", 0, err
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode(), nil
}

// RefusedByCommand has the command refuse a servlet file: exit status 2 or 3, one line that ends in want, nothing on
// standard output, no home made. FILE in args stands for the file.
func RefusedByCommand(file []byte, args []string, want string) error {
	path, err := WriteFile("servlet.wasm", file)
	if err != nil {
		return err
	}
	home := filepath.Join(filepath.Dir(path), "home")
	args = slices.Clone(args)
	for i := range args {
		if args[i] == "FILE" {
			args[i] = path
		}
	}
	stdout, stderr, status, err := Command(home, args...)
	if err != nil {
		return err
	}
	line := "writ: reading " + path + ": " + want + "\n"
	_, made := os.Stat(home)
	switch {
	case status != 2 && status != 3:
		return fmt.Errorf("exit status %d, %.200q; want a refusal", status, stderr)
	case position.ReplaceAllString(stderr, "at byte N:") != line:
		return fmt.Errorf("said %.300q; want %.300q", stderr, line)
	case stdout != "":
		return fmt.Errorf("printed %.200q", stdout)
	case made == nil:
		return errors.New("a home was made")
	}
	return nil
}
