package resources

import (
	"os"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/testdata/hostile/attack"
)

// bench carries out attacks, in short or in full.
type bench struct {
	short bool   // once and few of each
	dir   string // folder of the row, removed with it
	code  string // folder of compiled code

	ending []func() // what has to end with the row
}

// rest is how long the host is watched before an attack.
func (b *bench) rest() time.Duration {
	if b.short {
		return 50 * time.Millisecond
	}
	return 500 * time.Millisecond
}

// late is how long after its deadline a call may be answered.
func (b *bench) late() time.Duration {
	if b.short {
		return maxSlow
	}
	return maxLate
}

// carryOut makes the Run function of a row of trials. Each has a host of its own.
func carryOut(trials func(*bench) ([]trial, error)) func(*attack.Report) {
	return func(r *attack.Report) {
		var all figures
		b := &bench{short: !r.Thorough}
		defer b.close()
		var list []trial
		err := b.open()
		if err == nil {
			list, err = trials(b)
		}
		if err != nil {
			r.Variant("preparing", func() error { return err })
		}
		for _, t := range list {
			r.Variant(t.name, func() error { return b.try(t, &all) })
		}
		all.tell(r)
	}
}

func (b *bench) close() {
	for _, end := range b.ending {
		end()
	}
	os.RemoveAll(b.dir)
}

func (b *bench) open() (err error) {
	if b.dir, err = os.MkdirTemp("", "writ-hostile-"); err == nil {
		b.dir, err = filepath.EvalSymlinks(b.dir)
	}
	b.code = filepath.Join(b.dir, "code")
	return err
}
