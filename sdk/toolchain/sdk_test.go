package toolchain

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

const archiveComment = "The source of sdk/go, for servlets that are made offline. Refresh it with: go generate ./sdk/toolchain\n"

// The copy of the SDK inside this package must be the SDK.
func TestSDKArchiveIsCurrent(t *testing.T) {
	var files []sourceFile
	sdk := os.DirFS("../go")
	err := fs.WalkDir(sdk, ".", func(name string, entry fs.DirEntry, err error) error {
		source := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "go.mod"
		if err != nil || entry.IsDir() || !source {
			return err
		}
		data, err := fs.ReadFile(sdk, name)
		files = append(files, sourceFile{name, data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := writeArchive(archiveComment, files)
	if *update {
		if err := os.WriteFile("sdk_go.txtar", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(sdkArchive, want) {
		t.Fatal("sdk_go.txtar is not the source of sdk/go: run go generate ./sdk/toolchain")
	}
	got := readArchive(sdkArchive)
	if len(got) != len(files) {
		t.Fatalf("the archive reads as %d files, want %d", len(got), len(files))
	}
	for i, f := range got {
		if f.name != files[i].name || !bytes.Equal(f.data, files[i].data) {
			t.Errorf("%s does not survive the archive", files[i].name)
		}
	}
}
