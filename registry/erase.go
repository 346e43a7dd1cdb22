package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// Traces are the files and folders of a home, as slash-separated paths below it, sorted.
type Traces struct {
	Own     []string // made by Writ
	Foreign []string // by somebody else
}

// Made says whether Writ makes a file, or a folder, with that slash-separated path below a home. Links are
// never asked for: Writ makes none.
type Made func(name string, folder bool) bool

// ownFiles are the names of the files that Writ makes in each folder of a home, "." being the home.
var ownFiles = map[string]*regexp.Regexp{
	".":           regexp.MustCompile(`^(` + lockFile + `|` + generationFile + `|` + regexp.QuoteMeta(storeFile) + `(\.schema-[0-9]+)?)$`),
	blobFolder:    regexp.MustCompile(`^[0-9a-f]{64}$`),
	auditFolder:   regexp.MustCompile(`^[0-9A-Za-z-]{1,64}` + regexp.QuoteMeta(segmentSuffix) + `$`),
	keyFolder:     regexp.MustCompile(`^(home|development|secrets-[0-9a-f]+)\.key$`),
	stagingFolder: regexp.MustCompile(`^(file-[0-9]+|(new|upgraded)-` + regexp.QuoteMeta(storeFile) + `)$`),
}

// homeMark is what tells a home from any other folder. It is removed last.
const homeMark = keyFolder + "/" + homeKeyFile

// FindTraces looks through a home without opening it, so that a damaged one can be looked at, too.
// made says what other parts of Writ make in a home, nil: nothing. ErrNotFound when there is no home at
// that place.
func FindTraces(home string, made Made) (Traces, error) {
	root, err := openErasable(home)
	if err != nil {
		return Traces{}, err
	}
	defer root.Close()
	return findTraces(root, made)
}

// openErasable opens a home without following a link at its place: what is behind one is not Writ's to
// remove, and no home is ever opened through one.
func openErasable(home string) (*os.Root, error) {
	info, err := os.Lstat(home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("home %s: %w", home, ErrNotFound)
	case err == nil && !info.IsDir():
		return nil, &worded{fmt.Sprintf("home %s is no folder: name the folder itself with --home or WRIT_HOME", home), ErrUnsafe}
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return nil, fmt.Errorf("looking through %s: %v", home, err)
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		root.Close()
		return nil, &worded{fmt.Sprintf("home %s was replaced meanwhile", home), ErrUnsafe}
	}
	return root, nil
}

func findTraces(root *os.Root, made Made) (t Traces, err error) {
	if info, err := root.Lstat(homeMark); err != nil || !info.Mode().IsRegular() {
		return t, fmt.Errorf("%s is no home of Writ's: it has no %s: %w", root.Name(), homeMark, ErrNotFound)
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		folder, file := path.Split(name)
		folder = path.Clean(folder)
		own := folder == "." && d.IsDir() && ownFiles[file] != nil ||
			d.Type().IsRegular() && ownFiles[folder] != nil && ownFiles[folder].MatchString(file) ||
			made != nil && (d.IsDir() || d.Type().IsRegular()) && made(name, d.IsDir())
		if own {
			t.Own = append(t.Own, name)
			return nil
		}
		t.Foreign = append(t.Foreign, name)
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return Traces{}, fmt.Errorf("looking through %s: %v", root.Name(), err)
	}
	return t, nil
}

// Erase removes what Writ made in a home, with the home's lock held, and the home itself when nothing
// else is in it. What others put there stays: no link is followed, and only folders that are empty are
// removed. wait is for how long it waits for the lock.
func Erase(ctx context.Context, dir string, wait time.Duration, made Made) error {
	root, err := openErasable(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := findTraces(root, made); err != nil {
		return err // before a lock file is made in what is no home
	}
	h := &home{path: dir, wait: wait, turn: make(chan struct{}, 1)}
	release, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	err = eraseAll(root, made)
	release()
	if err == nil {
		err = root.Remove(lockFile) // a lock that is held cannot be removed everywhere
	}
	if err != nil {
		return fmt.Errorf("removing %s: %v", dir, err)
	}
	root.Close()
	if err := os.Remove(dir); err != nil && !isNotEmpty(dir) {
		return fmt.Errorf("removing %s: %v", dir, err)
	}
	return nil
}

// eraseAll removes everything of Writ's but the lock: files, then folders from the inside, the home's
// mark last, so that what a kill in between leaves can be removed still.
func eraseAll(root *os.Root, made Made) error {
	traces, err := findTraces(root, made)
	if err != nil {
		return err
	}
	var left []string // folders
	for _, name := range traces.Own {
		if name == lockFile || name == homeMark {
			continue
		}
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.IsDir() {
			left = append(left, name)
			continue
		}
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := root.Remove(homeMark); err != nil {
		return err
	}
	slices.Reverse(left) // sorted, a folder comes before what it holds
	for _, name := range left {
		if err := root.Remove(name); err != nil && !isNotEmpty(filepath.Join(root.Name(), name)) {
			return err
		}
	}
	return nil
}

// OldStores lists the copies of the store that upgrades kept in a home, as absolute paths, sorted.
func OldStores(home string) []string {
	var found []string
	entries, _ := os.ReadDir(home) // a home that cannot be read is told by whoever opens it
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), storeFile+".") && ownFiles["."].MatchString(e.Name()) {
			found = append(found, filepath.Join(home, e.Name()))
		}
	}
	return found
}

// isNotEmpty says that a folder holds something.
func isNotEmpty(folder string) bool {
	entries, err := os.ReadDir(folder)
	return err == nil && len(entries) > 0
}

// SecretKeyPlace tells where the key of the secrets is kept, without asking for it: the provider, and for
// a file its path. Both are empty when no secret was ever set.
func (r *Registry) SecretKeyPlace(ctx context.Context) (provider, file string, err error) {
	v, err := r.readVault(ctx)
	if err != nil || v == nil {
		return "", "", err
	}
	return v.Wrapping.Provider, r.keyFileOf(*v), nil
}

// ForgetSecretKey deletes the key of the secrets where it is kept, for a home that is about to be erased:
// no copy of the home opens its secrets any more.
func (r *Registry) ForgetSecretKey(ctx context.Context, by capabilities.Caller) error {
	if err := checkCaller(by); err != nil {
		return err
	}
	if !by.IsOperator() {
		return ErrOperator
	}
	v, err := r.readVault(ctx)
	if err != nil || v == nil {
		return err
	}
	if err := r.vault.providers.Forget(ctx, v.Wrapping); err != nil {
		return locked(err)
	}
	return nil
}
