package wasm

// Class is a size of program. What a class admits bounds how long and how large its compilation gets.
type Class int

const (
	// ClassServlet is for programs that people write: one compiles in less than 10 s and 512 MiB,
	// whatever its shape. CPython is one of them, and a Go program with the library's HTTP client.
	ClassServlet Class = iota
	// ClassRuntime is for the few that are larger, interpreters of a whole language with its library for
	// the most part: one compiles in the same bounds.
	ClassRuntime
)

// Limits of every class. Real servlets stay far below them: a Go program with an HTTP client has some
// 6,000 functions, 20 locals in the largest and 40,000 data segments (its linker writes one per run
// of bytes that are not zero). What is above them makes an instance large.
const (
	maxModule    = 64 << 20 // bytes of a module
	maxTypes     = 20_000   // function types
	maxValues    = 1_000    // parameters, and results, of one type
	maxAllValues = 200_000  // of all types: a runtime has some 12 bytes for each
	maxImports   = 1_000    // imports
	maxLocalRuns = 10_000   // runs of locals of one function
	maxTable     = 65_536   // entries of the table
	maxPages     = 65_536   // pages of a 32-bit memory
	maxGlobals   = 10_000   // own globals
	maxExports   = 10_000   // exports
	maxSegments  = 500_000  // data segments
	maxKept      = 10_000   // element segments, and data segments where code refers to them: each instance has them all
	maxElements  = 65_536   // items of all element segments
	maxName      = 1_024    // bytes of an import's or export's name

	// Functions that ref.func names in bodies: each becomes a global, and each instance has them all.
	maxReferenced = 1_000
)

// MaxFrame is more than one call of any admitted function takes on the runtime's stack, bytes.
const MaxFrame = 4 << 20

// limits are those of a class: what makes a compiler slow or large. Found by compiling modules just
// below them, of every shape and of several at once: see TestGateLimitsCompile.
type limits struct {
	functions uint32 // own functions; a million empty ones compile in 14 s
	body      uint32 // bytes of one function
	locals    int    // of one function, parameters included; 10^8 take 2.4 GiB
	allLocals int    // of all functions
	nesting   int    // blocks inside each other
	targets   int    // of the br_tables of one function
	blocks    int    // of one function; 60,000 take 13 s
	products  int    // locals x blocks, and mutable globals x calls, of one function; 10^7 take 1.7 GiB
	weight    int    // of one function's instructions, in quarters of a KiB of the compiler's memory
	effort    int    // of all functions; 8 million take a second
}

var classes = map[Class]limits{
	ClassServlet: {
		functions: 50_000, body: 1 << 20, locals: 10_000, allLocals: 5_000_000, nesting: 2_000, targets: 16_384,
		blocks: 10_000, products: 500_000, weight: 800_000, effort: 66_000_000,
	},
	ClassRuntime: {
		functions: 50_000, body: 2 << 20, locals: 10_000, allLocals: 5_000_000, nesting: 2_000, targets: 32_768,
		blocks: 13_000, products: 800_000, weight: 800_000, effort: 80_000_000,
	},
}
