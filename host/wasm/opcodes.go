package wasm

// Opcodes that the gate counts or the meter changes. An opcode with a prefix byte is written
// prefix<<8 | number.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableSet     = 0x26
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opRefFunc      = 0xd2
	opMemoryInit   = 0xfc08
	opDataDrop     = 0xfc09
	opMemoryCopy   = 0xfc0a
	opMemoryFill   = 0xfc0b
	opTableInit    = 0xfc0c
	opElemDrop     = 0xfc0d
	opTableCopy    = 0xfc0e
	opTableGrow    = 0xfc0f
	opTableSize    = 0xfc10
	opTableFill    = 0xfc11

	prefixBulk   = 0xfc
	prefixVector = 0xfd
)

// shape is how the immediates of an opcode are encoded.
type shape byte

const (
	unassigned shape = iota
	plain            // none
	leb32            // one integer of at most 5 bytes that changes nothing outside its instruction
	leb64            // one integer of at most 10 bytes
	memarg           // alignment and offset
	bytes4
	bytes8
	control // everything that cursor.decode takes apart
)

// instructions has for each opcode of WebAssembly 2.0 that is one byte its shape and its weight: the
// memory that the runtime's compiler takes for it while it compiles a function, in quarters of a KiB,
// as measured. Its time follows its memory but for what limits.go counts apart. A few weigh more than
// their due, because they take the gate long for their bytes.
var instructions = func() (s [256]struct {
	shape   shape
	weight  uint8
	longest uint8 // bytes of the instruction in its longest form; of those with an integer
}) {
	set := func(from, to int, as shape, weight uint8) {
		for op := from; op <= to; op++ {
			s[op].shape, s[op].weight = as, weight
			s[op].longest = map[shape]uint8{leb32: 6, leb64: 11, memarg: 7}[as]
		}
	}
	set(0x00, 0x00, control, 8)  // unreachable; twice its due
	set(0x01, 0x01, plain, 0)    // nop
	set(0x02, 0x05, control, 36) // block, loop, if, else
	set(0x0b, 0x0b, control, 0)  // end
	set(0x0c, 0x0f, control, 36) // branches, return
	set(0x10, 0x10, control, 16) // call
	set(0x11, 0x11, control, 90) // call_indirect
	set(0x1a, 0x1a, plain, 0)    // drop
	set(0x1b, 0x1b, plain, 5)    // select
	set(0x1c, 0x1c, control, 10) // select with types; twice its due
	set(0x20, 0x22, leb32, 1)    // local.*
	set(0x23, 0x23, leb32, 4)    // global.get; twice its due, as it makes a value: see effort.frame
	set(0x24, 0x24, leb32, 2)    // global.set
	set(0x25, 0x25, leb32, 20)   // table.get
	set(0x26, 0x26, control, 24) // table.set
	set(0x28, 0x3e, memarg, 22)  // loads and stores
	set(0x3f, 0x3f, control, 8)  // memory.size; twice its due
	set(0x40, 0x40, control, 40) // memory.grow, charged
	set(0x41, 0x41, leb32, 2)    // i32.const
	set(0x42, 0x42, leb64, 2)    // i64.const
	set(0x43, 0x43, bytes4, 4)   // f32.const
	set(0x44, 0x44, bytes8, 4)   // f64.const
	set(0x45, 0xc4, plain, 5)    // numeric, sign extension
	set(0x6d, 0x70, plain, 26)   // i32 division and remainder
	set(0x7f, 0x82, plain, 26)   // i64 division and remainder
	set(0x96, 0x98, plain, 12)   // f32.min, f32.max, f32.copysign
	set(0xa4, 0xa6, plain, 12)   // f64.min, f64.max, f64.copysign
	set(0xa8, 0xab, plain, 34)   // i32.trunc
	set(0xae, 0xb1, plain, 34)   // i64.trunc
	set(0xd0, 0xd0, control, 12) // ref.null; three times its due
	set(0xd1, 0xd1, plain, 5)    // ref.is_null
	set(0xd2, 0xd2, control, 10) // ref.func
	set(0xfc, 0xfc, control, 10) // saturating conversions; others by bulkWeights
	set(0xfd, 0xfd, control, 22) // vectors
	return s
}()

// bulkWeights are those of 0xfc and a number above 7.
var bulkWeights = [18]int{8: 120, 9: 10, 10: 16, 11: 16, 12: 120, 13: 10, 14: 120, 15: 40, 16: 2, 17: 160}

// refusedOpcodes names the later proposals that a module may have been built with. The runtime does
// not know them either; here the author learns which switch of the compiler to turn off.
var refusedOpcodes = map[byte]string{
	0x06: "exceptions", 0x07: "exceptions", 0x08: "exceptions", 0x09: "exceptions", 0x0a: "exceptions",
	0x18: "exceptions", 0x19: "exceptions", 0x1f: "exceptions",
	0x12: "tail calls", 0x13: "tail calls",
	0x14: "typed function references", 0x15: "typed function references", 0xd4: "typed function references",
	0xd5: "typed function references", 0xd6: "typed function references",
	0xd3: "garbage collection", 0xfb: "garbage collection",
	0xfe: "threads",
}

// bulkImmediates is how many indices follow 0xfc and a number.
var bulkImmediates = [18]int{8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}

// vectorShape is the immediate of 0xfd and a number: a memarg, lane bytes after it or without it. A
// number below 256 that 2.0 leaves unassigned has none; the runtime refuses it.
func vectorShape(n uint32) (arg bool, lanes uint32) {
	switch {
	case n <= 11, n == 92, n == 93: // v128.load*, v128.store
		return true, 0
	case n == 12, n == 13: // v128.const, i8x16.shuffle
		return false, 16
	case n >= 21 && n <= 34: // extract_lane, replace_lane
		return false, 1
	case n >= 84 && n <= 91: // load_lane, store_lane
		return true, 1
	}
	return false, 0
}
