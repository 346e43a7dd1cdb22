package host

import (
	"bytes"
	"os"
	"strconv"
)

// unknownMemory is the budget on a machine that does not say how much it has.
const unknownMemory = 2 << 30

// defaultMemory is half of what there is, so that the other half is left to code, to files in the
// system's cache and to other programs. A container may be smaller than the machine below it.
func defaultMemory() int64 {
	return budgetFor(read("/proc/meminfo"), read("/sys/fs/cgroup/memory.max"))
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // another system
	}
	return text
}

// budgetFor reads what the kernel says: "MemTotal:  8039872 kB", and a number of bytes or "max".
// Source: proc_meminfo(5); the kernel's cgroup-v2, "memory.max".
func budgetFor(meminfo, limit []byte) int64 {
	total := int64(0)
	for line := range bytes.Lines(meminfo) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "MemTotal:" && string(fields[2]) == "kB" {
			if kb, err := strconv.ParseInt(string(fields[1]), 10, 53); err == nil {
				total = kb << 10
			}
		}
	}
	if own, err := strconv.ParseInt(string(bytes.TrimSpace(limit)), 10, 64); err == nil && own > 0 && (total <= 0 || own < total) {
		total = own
	}
	if total <= 0 {
		return unknownMemory
	}
	return total / 2
}
