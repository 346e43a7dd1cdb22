package extism

import (
	"encoding/binary"
	"math/bits"
)

// Bounds of a kernel.
const (
	pageSize = 8 << 10
	first    = 64      // the lowest offset of a block; 0 means "none"
	last     = 1 << 32 // offsets fit 32 bits, as most kits keep them
	// perBlock is what the host keeps for a block beside its bytes.
	perBlock = 64
)

// Kernel is the memory that a plug-in and its host share during one call: blocks of bytes that the
// plug-in reaches by offsets, through host functions alone. It is apart from the plug-in's own memory,
// starts empty and ends with the call, so that nothing of a call is left in it for the next.
//
// What cannot be done is told by false, and the caller ends the call: an offset outside of all that was
// handed out, or no memory. Within that a plug-in reads and writes where it likes, freed blocks
// included, as it does in other hosts: all of it is its own.
type Kernel struct {
	// Hold counts so many more bytes as the call's; false: a limit does not allow them. Nil refuses all.
	Hold func(n int64) bool

	pages  [][]byte
	end    uint64              // of all that was handed out
	blocks map[uint64]block    // in use, by offset
	free   map[uint64][]uint64 // offsets of free blocks, by their size

	input, output span
	failure       uint64 // offset of the error text; 0: none

	vars     map[string][]byte
	varBytes int64 // as the quota counts them
	varHeld  int64 // most that varBytes ever was; counted
}

// block is a block in use.
type block struct {
	length uint64 // as asked for
	size   uint64 // that it takes
}

// span is a part of the memory.
type span struct{ at, length uint64 }

// Alloc makes a block of n bytes and returns its offset; that of an empty one is 0.
func (k *Kernel) Alloc(n uint64) (offset uint64, ok bool) {
	if n == 0 {
		return 0, true
	}
	if n > last {
		return 0, false
	}
	size := sizeFor(n)
	if list := k.free[size]; len(list) > 0 {
		offset = list[len(list)-1]
		k.free[size] = list[:len(list)-1]
		k.blocks[offset] = block{n, size}
		return offset, true
	}
	if k.end == 0 {
		k.end, k.blocks, k.free = first, map[uint64]block{}, map[uint64][]uint64{}
	}
	if !k.extend(k.end+size, perBlock) {
		return 0, false
	}
	offset = k.end
	k.end += size
	k.blocks[offset] = block{n, size}
	return offset, true
}

// sizeFor rounds a block's length up, by at most a quarter, so that one that was freed fits others.
func sizeFor(n uint64) uint64 {
	if n <= 32 {
		return (n + 7) &^ 7
	}
	step := uint64(1) << (bits.Len64(n-1) - 3)
	return (n + step - 1) &^ (step - 1)
}

// extend makes pages up to end, and counts them and more.
func (k *Kernel) extend(end uint64, more int64) bool {
	if end > last || k.Hold == nil {
		return false
	}
	missing := int((end+pageSize-1)/pageSize) - len(k.pages)
	if !k.Hold(more + int64(max(missing, 0))*pageSize) {
		return false
	}
	for range missing {
		k.pages = append(k.pages, make([]byte, pageSize))
	}
	return true
}

// Free gives a block back. One that is not in use is left alone: kits free what the host has consumed.
// So is the output and the error text, which the host reads when the call is over.
func (k *Kernel) Free(offset uint64) {
	b, ok := k.blocks[offset]
	if !ok || offset == k.failure || k.output.length > 0 && k.output.at >= offset && k.output.at < offset+b.size {
		return
	}
	if offset == k.input.at {
		k.input = span{}
	}
	delete(k.blocks, offset)
	k.free[b.size] = append(k.free[b.size], offset)
}

// Length is the length of the block in use that begins at offset; 0: there is none.
func (k *Kernel) Length(offset uint64) uint64 { return k.blocks[offset].length }

// within tells whether n bytes at offset are inside of what was handed out.
func (k *Kernel) within(offset, n uint64) bool {
	return offset >= first && offset <= k.end && n <= k.end-offset
}

// Load8 reads a byte.
func (k *Kernel) Load8(offset uint64) (v byte, ok bool) {
	if !k.within(offset, 1) {
		return 0, false
	}
	return k.pages[offset/pageSize][offset%pageSize], true
}

// Store8 writes a byte.
func (k *Kernel) Store8(offset uint64, v byte) bool {
	if !k.within(offset, 1) {
		return false
	}
	k.pages[offset/pageSize][offset%pageSize] = v
	return true
}

// Load64 reads eight bytes, little-endian.
func (k *Kernel) Load64(offset uint64) (v uint64, ok bool) {
	if !k.within(offset, 8) {
		return 0, false
	}
	if at := offset % pageSize; at <= pageSize-8 {
		return binary.LittleEndian.Uint64(k.pages[offset/pageSize][at:]), true
	}
	var p [8]byte
	k.copyOut(p[:], offset)
	return binary.LittleEndian.Uint64(p[:]), true
}

// Store64 writes eight bytes, little-endian.
func (k *Kernel) Store64(offset, v uint64) bool {
	if !k.within(offset, 8) {
		return false
	}
	if at := offset % pageSize; at <= pageSize-8 {
		binary.LittleEndian.PutUint64(k.pages[offset/pageSize][at:], v)
		return true
	}
	k.copyIn(offset, binary.LittleEndian.AppendUint64(nil, v))
	return true
}

// copyOut copies from a range that is inside.
func (k *Kernel) copyOut(p []byte, offset uint64) {
	for len(p) > 0 {
		n := copy(p, k.pages[offset/pageSize][offset%pageSize:])
		p, offset = p[n:], offset+uint64(n)
	}
}

// copyIn copies to a range that is inside.
func (k *Kernel) copyIn(offset uint64, p []byte) {
	for len(p) > 0 {
		n := copy(k.pages[offset/pageSize][offset%pageSize:], p)
		p, offset = p[n:], offset+uint64(n)
	}
}

// Read copies a block in use, or as much of it as most says. That at 0 is empty.
func (k *Kernel) Read(offset uint64, most int) (p []byte, ok bool) {
	if offset == 0 {
		return nil, true
	}
	b, ok := k.blocks[offset]
	if !ok {
		return nil, false
	}
	p = make([]byte, min(b.length, uint64(max(most, 0))))
	k.copyOut(p, offset)
	return p, true
}

// Write makes a block that has a copy of p. That of nothing is 0.
func (k *Kernel) Write(p []byte) (offset uint64, ok bool) {
	offset, ok = k.Alloc(uint64(len(p)))
	if ok {
		k.copyIn(offset, p)
	}
	return offset, ok
}

// Reset frees everything, and zeroes it.
func (k *Kernel) Reset() {
	for i := range k.pages {
		if uint64(i)*pageSize < k.end {
			clear(k.pages[i])
		}
	}
	if k.end > 0 {
		k.end = first
	}
	clear(k.blocks)
	clear(k.free)
	k.input, k.output, k.failure = span{}, span{}, 0
}

// Size is how many bytes were handed out.
func (k *Kernel) Size() uint64 { return k.end }

// Held tells whether there are blocks in use, or variables.
func (k *Kernel) Held() bool { return len(k.blocks)+len(k.vars) > 0 }
