//go:build unix

package approval_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/writ-run/writ/host/approval"
)

// Opening a named pipe waits for somebody who writes to it, which may be for ever.
func TestReadDoesNotWaitForAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := approval.Read(t.Context(), pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}
