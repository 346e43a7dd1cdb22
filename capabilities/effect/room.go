package effect

import "context"

// Room is the memory that the answers of a call may take, while they are read and until the guest has
// closed them. It may be used from several goroutines.
type Room interface {
	// Take reserves n bytes before they are filled. It is false, and nothing is reserved, when they are
	// more than what is left. What is not given back stays taken until the exchange has ended; from then
	// on its answer is counted.
	Take(n int64) bool
	// Give returns bytes that were taken.
	Give(n int64)
}

// roomKey finds the Room of a context.
type roomKey struct{}

// WithRoom returns a context for an exchange whose answer has to find room.
func WithRoom(ctx context.Context, room Room) context.Context {
	return context.WithValue(ctx, roomKey{}, room)
}

// RoomOf returns the room of an exchange. Where none was set only what bounds each answer by itself does.
func RoomOf(ctx context.Context) Room {
	if room, ok := ctx.Value(roomKey{}).(Room); ok {
		return room
	}
	return unbounded{}
}

type unbounded struct{}

func (unbounded) Take(int64) bool { return true }
func (unbounded) Give(int64)      {}
