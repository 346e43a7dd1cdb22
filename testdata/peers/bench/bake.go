package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/writ-run/writ/host/wasm"
)

// Sections of a module by their code in the binary format.
const (
	memorySection    = 5
	globalSection    = 6
	startSection     = 8
	dataSection      = 11
	dataCountSection = 12
)

// bake returns a module that starts with the given memory and values of its mutable globals: what it
// would be after its initialisation, which is not to be run again.
func bake(module, memory []byte, globals []uint64) (baked []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // an index out of range: the module was gated, so it is a mistake here
			err = fmt.Errorf("baking module: %v", p)
		}
	}()
	baked = slices.Clone(module[:8])
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		body := rest[1+n:][:size]
		rest = rest[1+n:][size:]
		switch id {
		case startSection, dataSection, dataCountSection:
			continue // the data comes last
		case memorySection:
			body = startWith(body, len(memory)/wasm.PageSize)
		case globalSection:
			if body, err = setGlobals(body, globals); err != nil {
				return nil, err
			}
		}
		baked = section(baked, id, body)
	}
	return section(baked, dataSection, segments(memory)), nil
}

func section(out []byte, id byte, body []byte) []byte {
	return append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
}

// startWith is the section of one memory, with another minimum.
func startWith(body []byte, pages int) []byte {
	_, n := binary.Uvarint(body[2:])
	return append(binary.AppendUvarint([]byte{1, body[1]}, uint64(pages)), body[2+n:]...)
}

// setGlobals replaces the first values of mutable globals.
func setGlobals(body []byte, values []uint64) ([]byte, error) {
	count, n := binary.Uvarint(body)
	out, rest := slices.Clone(body[:n]), body[n:]
	for range count {
		kind, changes := rest[0], rest[1] == 1
		end := 2 + constant(rest[2:])
		if !changes {
			out = append(out, rest[:end]...)
		} else {
			if len(values) == 0 {
				return nil, errors.New("baking module: more mutable globals than values")
			}
			out = append(append(out, kind, 1), constantOf(kind, values[0])...)
			values = values[1:]
		}
		rest = rest[end:]
	}
	if len(values) > 0 {
		return nil, errors.New("baking module: more values than mutable globals")
	}
	return out, nil
}

// Instructions of constant expressions.
const (
	i32Const  = 0x41
	i64Const  = 0x42
	f32Const  = 0x43
	f64Const  = 0x44
	globalGet = 0x23
	refNull   = 0xd0
	refFunc   = 0xd2
	endOfExpr = 0x0b
)

// constant returns the length of a constant expression of one instruction.
func constant(p []byte) int {
	n := 0
	switch p[0] {
	case i32Const, i64Const, globalGet, refFunc:
		for n = 1; p[n]&0x80 != 0; n++ { // LEB128
		}
	case f32Const:
		n = 4
	case f64Const:
		n = 8
	case refNull:
		n = 1
	default:
		panic(fmt.Sprintf("a constant expression of instruction %#x", p[0]))
	}
	if p[n+1] != endOfExpr {
		panic("a constant expression of more than one instruction")
	}
	return n + 2
}

func constantOf(kind byte, v uint64) []byte {
	switch kind {
	case wasm.I32:
		return append(sleb([]byte{i32Const}, int64(int32(uint32(v)))), endOfExpr)
	case wasm.I64:
		return append(sleb([]byte{i64Const}, int64(v)), endOfExpr)
	case wasm.F32:
		return append(binary.LittleEndian.AppendUint32([]byte{f32Const}, uint32(v)), endOfExpr)
	case wasm.F64:
		return append(binary.LittleEndian.AppendUint64([]byte{f64Const}, v), endOfExpr)
	}
	panic(fmt.Sprintf("a mutable global of type %#x", kind))
}

// sleb appends a signed LEB128.
func sleb(out []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// segments are the pages of memory that are not all zeros, a data segment for each run of them.
func segments(memory []byte) []byte {
	const page = 4096
	var body []byte
	count := uint64(0)
	for at := 0; at < len(memory); {
		end := at
		for end < len(memory) && !zeros(memory[end:end+page]) {
			end += page
		}
		if end == at {
			at += page
			continue
		}
		count++
		body = append(sleb(append(body, 0, i32Const), int64(int32(uint32(at)))), endOfExpr)
		body = append(binary.AppendUvarint(body, uint64(end-at)), memory[at:end]...)
		at = end
	}
	return append(binary.AppendUvarint(nil, count), body...)
}

func zeros(p []byte) bool { return !slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) }
