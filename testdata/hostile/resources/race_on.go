//go:build race

package resources

// raced says that the race detector takes memory of its own beside that of the host.
const raced = true
