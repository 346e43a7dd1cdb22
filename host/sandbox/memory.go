package sandbox

import (
	"encoding/binary"

	"github.com/writ-run/writ/host/wasm"
)

// maxMemory is the largest linear memory: the runtime keeps its length in 32 bits, so a full 4 GiB
// would read as 0.
const maxMemory = 1<<32 - wasm.PageSize

// view is the guest's memory at [at, at+n), without a copy. A range that is not all inside ends the
// call. A view is good until the guest runs again.
func (r *run) view(at, n uint32) []byte {
	p, ok := r.memory.Read(at, n)
	if !ok {
		r.stop(FaultABI, "the servlet passed a range outside its memory to "+r.current)
	}
	return p
}

// table is view for count items of size bytes each.
func (r *run) table(at, count, size uint32) []byte {
	n := uint64(count) * uint64(size)
	if n > maxMemory {
		r.stop(FaultABI, "the servlet passed a range outside its memory to "+r.current)
	}
	return r.view(at, uint32(n))
}

func put32(p []byte, v uint32) { binary.LittleEndian.PutUint32(p, v) }
func put64(p []byte, v uint64) { binary.LittleEndian.PutUint64(p, v) }
func get16(p []byte) uint16    { return binary.LittleEndian.Uint16(p) }
func get32(p []byte) uint32    { return binary.LittleEndian.Uint32(p) }
func get64(p []byte) uint64    { return binary.LittleEndian.Uint64(p) }
