package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// bareMachine is a machine that has nothing but the programs it was given: a folder that commands have for their
// root, in namespaces of their own, without a network.
type bareMachine struct {
	t     *testing.T
	root  string
	env   []string
	users bool // it also has a user namespace of its own, as this user may not make the others without one
}

// enterImage is the environment variable that makes this test binary enter an image and run a command there.
const enterImage = "WRIT_TEST_ENTER_IMAGE"

func init() {
	if root := os.Getenv(enterImage); root != "" {
		fmt.Fprintln(os.Stderr, "entering the image:", enter(root, os.Args[1:]))
		os.Exit(125)
	}
}

// enter makes root the root of this process, and the process the command. It returns only when it cannot.
func enter(root string, command []string) error {
	dir := os.Getenv("HOME")
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	for _, shared := range []string{"/proc", "/dev"} {
		err = errors.Join(err, unix.Mount(shared, filepath.Join(root, shared), "", unix.MS_BIND|unix.MS_REC, ""))
	}
	if err = errors.Join(err, unix.Chroot(root)); err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := os.Unsetenv(enterImage); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return unix.Exec(path, command, os.Environ())
}

// newMachine makes an image with some programs of this machine, and what they are linked with. It skips t
// where this user may not have one.
func newMachine(t *testing.T, home string, programs ...string) *bareMachine {
	t.Helper()
	m := &bareMachine{t: t, root: t.TempDir(), env: []string{"HOME=" + home, "PATH=/usr/local/bin:/bin", "TERM=xterm", "NO_COLOR=1"}}
	for _, dir := range []string{"proc", "dev", "tmp", "bin", "usr/local/bin", home} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("the image cannot be made, as this machine has no %s", name)
		}
		m.copy(path, filepath.Join("bin", name))
		// A program that is not linked with anything makes ldd fail.
		linked, _ := exec.Command("ldd", path).Output()
		for _, word := range strings.Fields(string(linked)) {
			if strings.HasPrefix(word, "/") {
				m.copy(word, word)
			}
		}
	}
	if m.command("true").Run() == nil {
		return m
	}
	m.users = true
	if out, err := m.command("true").CombinedOutput(); err != nil {
		t.Skipf("the image cannot be entered by this user: %v %s", err, out)
	}
	return m
}

// command runs in the image.
func (m *bareMachine) command(name string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{name}, args...)...)
	cmd.Env = append([]string{enterImage + "=" + m.root}, m.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if m.users {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// copy puts a file of this machine into the image, once.
func (m *bareMachine) copy(from, to string) {
	m.t.Helper()
	in, err := os.Open(from)
	if err != nil {
		m.t.Fatal(err)
	}
	defer in.Close()
	to = filepath.Join(m.root, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		m.t.Fatal(err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		m.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// write puts a text into the image.
func (m *bareMachine) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		m.t.Fatal(err)
	}
}
