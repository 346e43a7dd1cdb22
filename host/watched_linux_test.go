package host_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
)

// From linux/fcntl.h; package syscall does not name them.
const (
	setLease = 1024
	unlocked = 2
	writer   = 1
)

// The kernel itself holds the call here: who opens a file that another has leased waits for the lease's
// holder, up to 45 seconds, and no cancellation reaches it. A network file system that is gone does the same.
func TestAnswerDoesNotWaitForAnOpenThatHangs(t *testing.T) {
	h := newFixture(t, guard.Network{})
	in := h.install("t", manifest())
	h.adopt(host.NewOver(host.Config{Engine: engine, Times: short}, h.reg))
	file, err := filepath.Glob(filepath.Join(h.reg.Home(), "blobs", "*"+in.Digest[len(in.Digest)-8:]+"*"))
	if err != nil || len(file) != 1 {
		t.Fatalf("%v, %v", file, err)
	}
	held, err := os.Open(file[0])
	if err == nil {
		held.Close()
		held, err = os.OpenFile(file[0], os.O_WRONLY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, held.Fd(), setLease, writer); errno != 0 {
		t.Skipf("this file system leases no files: %v", errno)
	}
	release := func() { syscall.Syscall(syscall.SYS_FCNTL, held.Fd(), setLease, unlocked) }
	defer release()
	start := time.Now()
	a := h.call("t_units", nil)
	if a.Limit != host.LimitHostTime {
		t.Errorf("%+v", a)
	}
	// The rule can be broken: without it the answer comes when the kernel gives up, after 45 seconds.
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the answer took %v", took)
	}
	release()
	until(t, "the host can be used again", func() bool { return h.call("t_units", nil).Status == host.StatusOK })
}
