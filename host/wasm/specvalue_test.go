package wasm_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// withMemory adds an empty memory to a module that has none, as the gate wants one.
func withMemory(module []byte) []byte {
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

// specArgs encodes arguments as the runtime takes them.
func specArgs(values []specValue) (args []uint64, err error) {
	for _, v := range values {
		if v.Type == "v128" {
			lanes, err := v.lanes()
			if err != nil {
				return nil, err
			}
			args = append(args, lanes[0], lanes[1])
			continue
		}
		var text string
		if err := json.Unmarshal(v.Value, &text); err != nil {
			return nil, err
		}
		switch {
		case text == "null":
			args = append(args, 0)
		case strings.HasSuffix(v.Type, "ref"):
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return nil, err
			}
			args = append(args, n+1) // 0 is null
		default:
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return nil, err
			}
			args = append(args, n)
		}
	}
	return args, nil
}

// lanes packs the lanes of a vector.
func (v specValue) lanes() (words [2]uint64, err error) {
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
