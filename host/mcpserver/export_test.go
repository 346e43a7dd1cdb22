package mcpserver

// Bounds that tests fill.
const (
	MaxCallsOfSpace = maxCalls / 2
	MaxConnections  = maxConnections
)

// Budget is bytes that are shared.
type Budget = budget

// NewBudget makes a budget.
func NewBudget(bytes int64) *Budget { return &budget{free: bytes} }

// Take and Give are what a request does; Left is what nobody has, and Waiting how many wait.
var (
	Take = (*budget).take
	Give = (*budget).give
)

// Left is how many bytes nobody has.
func (b *budget) Left() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free
}

// Waiting is how many requests wait.
func (b *budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}
