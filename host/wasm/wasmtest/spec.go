package wasmtest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// SpecFolder finds the WebAssembly specification's own tests, which the runtime's module ships, in the
// module cache. An error says that they are not there.
func SpecFolder() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		return "", fmt.Errorf("finding the specification's tests: %w", err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	if _, err := os.Stat(root); err != nil {
		return "", fmt.Errorf("finding the specification's tests: %w", err)
	}
	return root, nil
}

// SpecScripts lists the scripts of WebAssembly 2.0 below the folder.
func SpecScripts(root string) ([]string, error) {
	scripts, err := filepath.Glob(filepath.Join(root, "v2", "testdata", "*.json"))
	if err == nil && len(scripts) == 0 {
		err = errors.New("there are no scripts")
	}
	return scripts, err
}

// SpecHost is the module that scripts import from, "spectest".
func SpecHost(root string) ([]byte, error) {
	return os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
}

// SpecCommand is one command of a script.
type SpecCommand struct {
	Type     string `json:"type"`
	Line     int    `json:"line"`
	Name     string `json:"name"`
	As       string `json:"as"`
	Filename string `json:"filename"` // of a module, beside the script
	Text     string `json:"text"`
	Format   string `json:"module_type"`
	Action   struct {
		Type   string      `json:"type"`
		Module string      `json:"module"`
		Field  string      `json:"field"`
		Args   []SpecValue `json:"args"`
	} `json:"action"`
}

// SpecValue is an argument.
type SpecValue struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"`
	Value json.RawMessage `json:"value"`
}

// ReadSpec reads a script.
func ReadSpec(script string) ([]SpecCommand, error) {
	text, err := os.ReadFile(script)
	if err != nil {
		return nil, err
	}
	var s struct {
		Commands []SpecCommand `json:"commands"`
	}
	return s.Commands, json.Unmarshal(text, &s)
}

// Words encodes the argument in 64-bit words, two of a vector; of a reference it is 0 for null, and one
// more than the number that the script gives it.
func (v SpecValue) Words() ([]uint64, error) {
	if v.Type == "v128" {
		lanes, err := v.lanes()
		return lanes[:], err
	}
	var text string
	if err := json.Unmarshal(v.Value, &text); err != nil {
		return nil, err
	}
	if text == "null" {
		return []uint64{0}, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if strings.HasSuffix(v.Type, "ref") {
		n++
	}
	return []uint64{n}, err
}

// lanes packs the lanes of a vector.
func (v SpecValue) lanes() (words [2]uint64, err error) {
	var texts []string
	if err := json.Unmarshal(v.Value, &texts); err != nil {
		return words, err
	}
	width := 128 / len(texts)
	for i, text := range texts {
		n, err := strconv.ParseUint(text, 10, 64)
		switch {
		case err == nil:
		case strings.HasPrefix(text, "nan:") && width == 32:
			n = uint64(math.Float32bits(float32(math.NaN())))
		case strings.HasPrefix(text, "nan:"):
			n = math.Float64bits(math.NaN())
		default:
			return words, err
		}
		n &= ^uint64(0) >> (64 - width)
		words[i*width/64] |= n << (i * width % 64)
	}
	return words, nil
}

// WithMemory adds an empty memory to a module that has none.
func WithMemory(module []byte) []byte {
	const memory, global, tag = 5, 6, 13
	at := 8
	for at < len(module) {
		id := module[at]
		size, n := binary.Uvarint(module[at+1:])
		if id == memory || n <= 0 {
			return module
		}
		if id >= global && id != tag {
			break
		}
		at = min(at+1+n+int(min(size, 1<<30)), len(module))
	}
	if at > len(module) {
		return module
	}
	return slices.Concat(module[:at], []byte{memory, 3, 1, 0, 0}, module[at:])
}
