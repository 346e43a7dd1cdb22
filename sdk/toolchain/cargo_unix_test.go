//go:build unix

package toolchain

import (
	"context"
	"io"
	"os"
	"testing"
	"time"
)

// A build that is given up takes the compilers along that cargo started: the output, which they hold open, ends.
func TestCargoEndsWithItsCompilers(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := out.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil { // less than a left one goes on
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := (cargo{dir: t.TempDir(), env: []string{"PATH=/usr/bin:/bin"}}).command(ctx, "/bin/sh", "-c", "sleep 40 & echo started; wait")
	cmd.Stdout = in
	err = cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("started\n"))); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("it was not ended")
	}
	if _, err := out.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a compiler was left behind: %v", err)
	}
}
