package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/writ-run/writ/host/wasm"
)

// program is a metered module, ready to be compiled or compiled already.
type program struct {
	metered wasm.Metered
	key     digest // of the metered code, as the runtime knows it
	file    string // in the cache folder; empty: there is none
}

// made is the program of a metered module. The runtime names a module by the digest of its bytes and a
// flag, which is off here (see New).
func made(metered wasm.Metered, file string) program {
	h := sha256.New()
	h.Write(metered.Code())
	h.Write([]byte{0})
	return program{metered: metered, key: digest(h.Sum(nil)), file: file}
}

// append writes a program as readProgram reads it: its key, then the module.
func (p program) append(b []byte) ([]byte, error) { return p.metered.Append(append(b, p.key[:]...)) }

// program returns the metered form of an admitted module. What is in the cache folder was validated and
// metered by the same code as is in this process: the file's name says so, and the folder is trusted no
// less with it than with the machine code beside it.
func (e *Engine) program(ctx context.Context, m Admitted) (program, error) {
	if e.folder == nil {
		metered, err := e.meter(m.gated)
		if err != nil {
			return program{}, err
		}
		return made(metered, ""), nil
	}
	file := programFile(m.gated.Code())
	p, ok := e.stored(file)
	if e.compiler != nil && (!ok || e.machineFile(p.key) == "") {
		if err := e.compiler(ctx, Job{CacheDir: e.folder.Dir(), Module: m.gated.Code(), ABI: m.abi, Kinds: m.kinds}); err != nil {
			return program{}, err
		}
		p, ok = e.stored(file)
	}
	if ok {
		return p, nil
	}
	metered, err := e.meter(m.gated)
	if err != nil {
		return program{}, err
	}
	p = made(metered, file)
	e.store(p)
	return p, nil
}

// programFile names the file for what metering makes of a gated module. Every part of it that may be
// another one day is in the name: the module, the runtime that finds it valid, the gate and the meter.
func programFile(gated []byte) string {
	h := sha256.New()
	identity := meterIdentity()
	fmt.Fprintf(h, "%s %x\n", validator, identity)
	h.Write(gated)
	return fmt.Sprintf("program-%x", h.Sum(nil))
}

// meterIdentity is a variable for the test that another meter's programs are not used.
var meterIdentity = wasm.Identity

// stored returns the program in a file, if it is there, or will be as soon as it is read.
func (e *Engine) stored(file string) (program, bool) {
	e.mu.Lock()
	x := e.expected[file]
	e.mu.Unlock()
	if x != nil {
		if <-x.read; x.ok {
			return x.program, true
		}
	}
	return e.readProgram(file)
}

func (e *Engine) readProgram(file string) (program, bool) {
	return parseProgram(e.folder.Get(file), file)
}

// parseProgram reads what program.append wrote; false: data is something else, or nil.
func parseProgram(data []byte, file string) (program, bool) {
	if len(data) < len(digest{}) {
		return program{}, false
	}
	metered, err := wasm.ReadMetered(data[len(digest{}):])
	if err != nil {
		return program{}, false
	}
	return program{metered: metered, key: digest(data[:len(digest{})]), file: file}, true
}

// store keeps a metered module. Without the file the next process meters again, which is all that an
// error means.
func (e *Engine) store(p program) {
	data, err := p.append(nil)
	if err == nil {
		err = e.folder.Put(p.file, data)
	}
	if err != nil {
		e.logger.Warn("keeping a metered module", "error", err)
	}
}

// runtimeFolder is where the runtime keeps machine code, inside the cache folder: one for each runtime.
// Below it the runtime makes a folder of its own for its version, processor and system.
var runtimeFolder = strings.NewReplacer(" ", "-", ",", "").Replace(validator)

// machineFile finds the machine code of a program in the cache folder; empty: it is not there. The
// runtime names it by the module and the processor's features, a few bits of a word that it does not
// tell. They are only guessed to find the file: what it is used for is decided by the runtime.
func (e *Engine) machineFile(key digest) string {
	folders, err := filepath.Glob(filepath.Join(e.folder.Dir(), runtimeFolder, "*"))
	if err != nil {
		return ""
	}
	for _, folder := range folders {
		for features := range uint64(1 << featureBits) {
			h := sha256.New()
			h.Write(key[:])
			io.WriteString(h, "WAZEVO")
			h.Write(binary.LittleEndian.AppendUint64(nil, features))
			file := filepath.Join(folder, fmt.Sprintf("%x", h.Sum(nil)))
			if _, err := os.Lstat(file); err == nil {
				return filepath.Join(runtimeFolder, filepath.Base(folder), filepath.Base(file))
			}
		}
	}
	return ""
}

// featureBits is how many features of a processor the runtime tells apart, at most.
const featureBits = 6

// dropMachineFile removes machine code that cannot be used. It tells whether there was any.
func (e *Engine) dropMachineFile(key digest) bool {
	if e.folder == nil {
		return false
	}
	file := e.machineFile(key)
	return file != "" && e.folder.Remove(file) == nil
}
