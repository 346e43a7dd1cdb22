package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/servlets/builtin"
)

var edition1 = edition{Version: "1.2.3-rc.1", Commit: "0123456789abcdef", Date: time.Unix(1_700_000_001, 0).UTC()}

func TestSettingsAreHeldToTheirForm(t *testing.T) {
	for _, row := range []struct{ version, commit, date, want string }{
		{"", "", "", ""},
		{"1.2.3", "0123456", "1700000000", ""},
		{"1.2.3-rc.1", "0123456789abcdef-dirty", "315532800", ""},
		{"v1.2.3", "", "", "VERSION"},
		{"1.2.3 -X main.commit=x", "", "", "VERSION"},
		{"1.2", "", "", "VERSION"},
		{"../1.2.3", "", "", "VERSION"},
		{"", "HEAD", "", "COMMIT"},
		{"", "0123456 -extld=sh", "", "COMMIT"},
		{"", "", "yesterday", "SOURCE_DATE_EPOCH"},
		{"", "", "1", "SOURCE_DATE_EPOCH"},
	} {
		env := map[string]string{"VERSION": row.version, "COMMIT": row.commit, "SOURCE_DATE_EPOCH": row.date}
		_, err := editionOf(func(name string) string { return env[name] })
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v: %v", env, err)
		}
	}
}

func TestCommandsSayWhatTheyWant(t *testing.T) {
	for _, args := range [][]string{
		nil, {"publish"}, {"servlets"}, {"servlets", "-into", t.TempDir()}, {"servlets", "-on", "x"},
		{"archives"}, {"archives", "-o", t.TempDir()}, {"archives", "-o", t.TempDir(), "linux"},
		{"packages"}, {"packages", "-o", t.TempDir()}, {"packages", "-o", t.TempDir(), "-writ", filepath.Join(t.TempDir(), "none")},
		{"packages", "-o", t.TempDir(), "-writ", "true"},
		{"servlets", "-into", t.TempDir(), filepath.Join(t.TempDir(), "none")},
	} {
		if err := run(t.Context(), args, func(string) string { return "" }, io.Discard); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one line", args, err)
		}
	}
}

var packed = []entry{{name: "writ", mode: 0o755, data: []byte("program")}, {name: "LICENSE", mode: 0o644, data: []byte("text")}}

// Nothing of the machine that packs gets into an archive, so that everybody packs the same bytes.
func TestArchivesAreTheSameEverywhere(t *testing.T) {
	for name, pack := range map[string]func(io.Writer, []entry, time.Time) error{"tar": tarball, "zip": zipped} {
		var first, second, later bytes.Buffer
		for _, err := range []error{
			pack(&first, under("writ-1", packed), edition1.Date), pack(&second, under("writ-1", packed), edition1.Date),
			pack(&later, under("writ-1", packed), edition1.Date.Add(time.Hour)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: two runs differ", name)
		}
		if bytes.Equal(first.Bytes(), later.Bytes()) {
			t.Errorf("%s: the date is not in it", name)
		}
	}
}

func TestTarballSaysOnlyWhatItShould(t *testing.T) {
	var b bytes.Buffer
	if err := tarball(&b, under("writ-1", packed), edition1.Date); err != nil {
		t.Fatal(err)
	}
	uncompress, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !uncompress.ModTime.IsZero() || uncompress.Name != "" {
		t.Errorf("gzip says %+v", uncompress.Header)
	}
	r := tar.NewReader(uncompress)
	for i, want := range []string{"writ-1/ 755", "writ-1/writ 755", "writ-1/LICENSE 644"} {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %o", h.Name, h.Mode); got != want || h.Uid+h.Gid != 0 || h.Uname+h.Gname != "" || !h.ModTime.Equal(edition1.Date) {
			t.Errorf("entry %d: %s, %+v", i, got, h)
		}
	}
}

func TestZipKeepsModes(t *testing.T) {
	var b bytes.Buffer
	if err := zipped(&b, under("writ-1", packed), edition1.Date); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 3 || r.File[1].Name != "writ-1/writ" || r.File[1].Mode() != 0o755 || !r.File[0].Mode().IsDir() {
		t.Errorf("%+v", r.File)
	}
}

func TestNumbersFollowVersions(t *testing.T) {
	var last uint64
	for _, version := range []string{"0.0.1", "0.1.0", "0.1.1", "0.99999.99999", "1.0.0", "1.0.10", "1.2.0", "10.0.0", "9999.99999.99999"} {
		seq, err := seqOf(version)
		if err != nil || seq <= last || seq > 1<<53-1 {
			t.Errorf("%s: %d, %v", version, seq, err)
		}
		last = seq
	}
	for _, version := range []string{"0.0.0", "1.0.0-rc.1", "1.0", "", "1.0.100000", "10000.0.0"} {
		if seq, err := seqOf(version); err == nil {
			t.Errorf("%q has number %d", version, seq)
		}
	}
}

func TestReplaceAllKeepsWhatIsHidden(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".gitignore", "old.wasm.gz", "same.wasm.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := replaceAll(dir, map[string][]byte{"new.wasm.gz": []byte("new"), builtin.IndexFile: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".gitignore")); err != nil {
		t.Error(err)
	}
}

// The servlets that are packed here verify, and are signed as built-in ones: what the next build offers.
func TestPackedServletsAreBuiltInOnes(t *testing.T) {
	set, err := builtin.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Servlets()) == 0 {
		t.Skip("no servlets are packed here: run make build first")
	}
	for _, s := range set.Servlets() {
		file, err := set.File(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		unverified, err := capabilities.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		servlet, err := unverified.Verify()
		if err != nil {
			t.Fatal(err)
		}
		m := servlet.Manifest()
		if m.Name != s.Name || m.Version != s.Version || servlet.Digest() != s.SHA256 || !capabilities.IsBuiltInKey(servlet.KeyID()) || m.Development() {
			t.Errorf("%s %s is packed as %+v", m.Name, m.Version, s)
		}
	}
}

// distribution is a folder with an archive for Linux as archives makes them, of a program that is none.
func distribution(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := []entry{{name: "writ", mode: 0o755, data: []byte("#!/bin/sh\necho writ\n")}}
	for _, name := range beside {
		files = append(files, entry{name: name, mode: 0o644, data: []byte(name + "\n")})
	}
	for _, p := range []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}} {
		var b bytes.Buffer
		if err := tarball(&b, under(edition1.archive(p), files), edition1.Date); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, edition1.archive(p)+".tar.gz"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// scripted is a program that writes a manual of one page, and what shells complete with.
func scripted(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "writ")
	script := "#!/bin/sh\nset -e\ncase $1 in man) echo page >$2/writ-call.1;; completion) echo \"for $2\";; esac\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program
}

func TestPackages(t *testing.T) {
	dir, image := distribution(t), filepath.Join(t.TempDir(), "image")
	certificates := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(certificates, []byte("certificates"), 0o600); err != nil {
		t.Fatal(err)
	}
	make := func() {
		if err := packages(t.Context(), edition1, []string{"-o", dir, "-writ", scripted(t), "-image", image, "-certificates", certificates}, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	make()
	sums := readFile(t, filepath.Join(dir, sumsFile))
	make()
	if again := readFile(t, filepath.Join(dir, sumsFile)); again != sums || strings.Count(sums, "\n") != 7 {
		t.Errorf("two runs:\n%s\n%s", sums, again)
	}
	t.Run("formula", func(t *testing.T) { checkFormula(t, dir, sums) })
	t.Run("debian", func(t *testing.T) { checkDebian(t, filepath.Join(dir, "writ_1.2.3~rc.1_amd64.deb")) })
	t.Run("image", func(t *testing.T) { checkImage(t, image) })
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every archive that the formula names is there, with the digest that it names.
func checkFormula(t *testing.T, dir, sums string) {
	text := readFile(t, filepath.Join(dir, "writ.rb"))
	named := 0
	for line := range strings.Lines(sums) {
		digest, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if strings.HasSuffix(file, ".tar.gz") {
			named++
			if !strings.Contains(text, "/v1.2.3-rc.1/"+file+"\"\n      sha256 \""+digest+"\"") {
				t.Errorf("%s is not in\n%s", file, text)
			}
		}
	}
	if named != 4 || strings.Count(text, "sha256") != 4 {
		t.Errorf("%d archives in\n%s", named, text)
	}
}

// The system's own tool reads the package and unpacks it into a throw-away root.
func checkDebian(t *testing.T, deb string) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	root := t.TempDir()
	for _, args := range [][]string{{"-x", deb, root}, {"-e", deb, filepath.Join(root, "DEBIAN")}} {
		if out, err := exec.Command("dpkg-deb", args...).CombinedOutput(); err != nil {
			t.Fatalf("dpkg-deb %v: %s", args, out)
		}
	}
	info, err := os.Stat(filepath.Join(root, "usr/bin/writ"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Fatalf("%v, %v", info, err)
	}
	if out, err := exec.Command(filepath.Join(root, "usr/bin/writ")).Output(); err != nil || string(out) != "writ\n" {
		t.Errorf("it says %q, %v", out, err)
	}
	for _, field := range []string{"Package: writ\n", "Version: 1.2.3~rc.1\n", "Architecture: amd64\n", "\nInstalled-Size: "} {
		if control := readFile(t, filepath.Join(root, "DEBIAN/control")); !strings.Contains(control, field) {
			t.Errorf("no %q in\n%s", field, control)
		}
	}
	if unit := readFile(t, filepath.Join(root, "usr/lib/systemd/system/writ.service")); !strings.Contains(unit, "ExecStart=/usr/bin/writ serve ") {
		t.Errorf("the service does not start what the package installs:\n%s", unit)
	}
	check := exec.Command("md5sum", "--check", "--strict", "DEBIAN/md5sums")
	check.Dir = root
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("md5sums: %s", out)
	}
	if text, err := exec.Command("gzip", "-dc", filepath.Join(root, "usr/share/man/man1/writ-call.1.gz")).Output(); err != nil || string(text) != "page\n" {
		t.Errorf("the page is %q, %v", text, err)
	}
	for file, want := range map[string]string{
		"bash-completion/completions/writ": "for bash\n", "zsh/vendor-completions/_writ": "for zsh\n", "fish/vendor_completions.d/writ.fish": "for fish\n",
	} {
		if text := readFile(t, filepath.Join(root, "usr/share", file)); text != want {
			t.Errorf("%s: %q", file, text)
		}
	}
	if text := readFile(t, filepath.Join(root, "usr/share/doc/writ/copyright")); text != "NOTICE\n\nLICENSE\n" {
		t.Errorf("copyright: %q", text)
	}
}

// The image runs one program, not as root, and every file that its recipe copies is there.
func checkImage(t *testing.T, dir string) {
	recipe := readFile(t, filepath.Join(dir, "Containerfile"))
	user := false
	for line := range strings.Lines(recipe) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "RUN", "ADD":
			t.Errorf("%s: nothing runs, and nothing is downloaded, when the image is built", words[0])
		case "USER":
			user = words[1] == "65532:65532"
		case "COPY":
			from := strings.ReplaceAll(words[len(words)-2], "${TARGETPLATFORM}", "linux/arm64")
			if _, err := os.Stat(filepath.Join(dir, from)); err != nil {
				t.Error(err)
			}
		}
	}
	if !user {
		t.Error("the image runs as root")
	}
	if info, err := os.Stat(filepath.Join(dir, "home")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("home: %v, %v", info, err)
	}
	if err := imageFolder(t.TempDir(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without certificates: %v", err)
	}
}

func TestPackagesRefuseAnArchiveThatIsNotWhole(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := tarball(&b, packed, edition1.Date); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cut": b.Bytes()[:b.Len()/2], "not all files": b.Bytes(), "no archive": []byte("text")} {
		if err := os.WriteFile(filepath.Join(dir, edition1.archive(platform{"linux", "amd64"})+".tar.gz"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := packages(t.Context(), edition1, []string{"-o", dir, "-writ", scripted(t)}, io.Discard); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}
