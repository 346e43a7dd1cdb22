//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const packagingFolder = "../release/packaging/"

// The unit is one that systemd understands, and what it keeps from the service is more than most do.
func TestSystemdUnit(t *testing.T) {
	data, err := os.ReadFile(packagingFolder + "writ.service")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/writ (.*) \$WRIT_SERVE$`).FindSubmatch(data)
	if command == nil {
		t.Fatal("no command that takes more flags from WRIT_SERVE")
	}
	startsWithoutKeys(t, strings.Fields(string(command[1])))

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: the unit is not checked by systemd")
	}
	unit := filepath.Join(t.TempDir(), "writ.service")
	// The program is not installed where the tests run.
	if err := os.WriteFile(unit, []byte(strings.Replace(string(data), "/usr/bin/writ ", built.writ+" ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), unit) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// Exposure of at most 2 of 10; where nothing is said, services are at 9.
	out, err = exec.Command(analyze, "security", "--offline=yes", "--threshold=20", unit).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Log("this systemd-analyze cannot rate a unit that is not loaded")
	} else if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// The container writes nothing but its volume and is published to this machine alone.
func TestComposeFile(t *testing.T) {
	data, err := os.ReadFile(packagingFolder + "compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"read_only: true", `cap_drop: ["ALL"]`, `security_opt: ["no-new-privileges:true"]`, `user: "65532:65532"`, `ports: ["127.0.0.1:8443:8443"]`,
	} {
		if !strings.Contains(string(data), "\n    "+line+"\n") {
			t.Errorf("it does not say %s", line)
		}
	}
	for _, banned := range []string{"privileged:", "network_mode:", "docker.sock", "pid:", "cap_add:"} {
		if strings.Contains(string(data), "    "+banned) {
			t.Errorf("it says %s", banned)
		}
	}
	command := regexp.MustCompile(`(?m)^    command: (\[.*\])$`).FindSubmatch(data)
	if command == nil {
		t.Fatal("no command")
	}
	var args []string
	if err := json.Unmarshal(command[1], &args); err != nil {
		t.Fatal(err)
	}
	cert, key := pemPair(t, t.TempDir(), 1)
	for i, arg := range args {
		args[i] = strings.NewReplacer("/tls/server.pem", cert, "/tls/server.key", key).Replace(arg)
	}
	startsWithoutKeys(t, args)
}

// startsWithoutKeys checks that a command line is right but for the keys of clients, which a new home
// does not have.
func startsWithoutKeys(t *testing.T, args []string) {
	t.Helper()
	out, err := exec.Command(built.writ, append([]string{"--home", filepath.Join(t.TempDir(), "home")}, args...)...).CombinedOutput()
	if code := exitCode(err); code != exitDenied || !strings.Contains(string(out), "writ key create") {
		t.Errorf("writ %v: status %d: %s", args, code, out)
	}
}

func exitCode(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return 0
}
