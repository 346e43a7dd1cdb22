package wasm

// region is code that is paid for at one place, a function's entry or a loop's head. Inside it code
// runs forward only, so that each visit executes at most its longest path, and that is its price: never
// less than what is executed, and the same in every run. A loop around a switch pays for the longest
// case each time it turns. Prices at every case would be exact, and cost a Go program, in which the
// compiler makes of every jump a turn of such a loop, another tenth of its speed.
type region struct {
	room  int   // offset of the room for the price; -1: the loop to come has it
	path  int64 // longest path from the head to here
	max   int64 // longest path of all
	extra int64 // what else is paid for in the same room
}

// frame is an open block, loop or if, or the function itself, which is a block.
type frame struct {
	op     byte  // opBlock, opLoop or opIf
	home   int   // region of what follows its end, unless a new one starts there
	path   int64 // longest path to its end by branches, in its home region; -1: none
	before int64 // of an if without else: longest path to it; otherwise -1
}

// paths finds the longest path of each region while a body is walked. Loops nest, so regions do: the
// code after a loop is again of the region around it, whose path stood still meanwhile.
type paths struct {
	regions []region
	frames  []frame
	dead    bool // here nothing can be executed
}

func (p *paths) top() *region { return &p.regions[len(p.regions)-1] }

// spend lengthens the path by n instructions.
func (p *paths) spend(n int) {
	if !p.dead {
		r := p.top()
		r.path += int64(n)
		r.max = max(r.max, r.path)
	}
}

// enter opens a frame in the region on top.
func (p *paths) enter(op byte) {
	f := frame{op: op, home: len(p.regions) - 1, path: -1, before: -1}
	if op == opIf && !p.dead {
		f.before = p.top().path
	}
	p.frames = append(p.frames, f)
}

// branch notes a branch to the frame that label counts from the innermost. A path that jumps back to a
// loop's head ends there: the head is paid for again.
func (p *paths) branch(label uint32) bool {
	if uint64(label) >= uint64(len(p.frames)) {
		return false
	}
	f := &p.frames[len(p.frames)-1-int(label)]
	if f.op != opLoop && !p.dead {
		f.path = max(f.path, p.regions[f.home].path)
	}
	return true
}

// arm goes to the other arm of the innermost frame, an if.
func (p *paths) arm() {
	f := &p.frames[len(p.frames)-1]
	home := &p.regions[f.home]
	if !p.dead {
		f.path = max(f.path, home.path)
	}
	p.dead = f.before < 0
	home.path = max(f.before, 0)
	f.before = -1
}

// leave closes the innermost frame and goes on in its home region.
func (p *paths) leave() frame {
	f := p.frames[len(p.frames)-1]
	p.frames = p.frames[:len(p.frames)-1]
	home := &p.regions[f.home]
	longest := max(f.path, f.before)
	if !p.dead {
		longest = max(longest, home.path)
	}
	p.dead = longest < 0
	home.path = max(longest, 0)
	return f
}
