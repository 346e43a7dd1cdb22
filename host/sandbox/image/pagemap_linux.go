package image

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Categories of pages and the request of the ioctl, from linux/fs.h.
const (
	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
	pageIsZeros   = 1 << 5 // the one page of zeros that all who only read share
	pagemapScan   = 0xc0606610
)

// scanArguments is struct pm_scan_arg.
type scanArguments struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages       uint64
	categoryInverted, categoryMask, categoryAnyofMask, returnMask uint64
}

// errMore is a scan that did not come to its end.
var errMore = errors.New("more ranges than the list has room for")

// changed lists the pages of a laid image that are neither the file's any more nor, beside it, zeros that
// were only read.
//
// The mask is "none of those, and present or swapped out". A page under migration reads as swapped:
// asking for present ones alone would now and then miss one and show it to the next caller.
func (k *kernel) changed(p []byte, buf *regions) ([]region, error) { return k.list(p, buf[:]) }

// list is changed with a list of any length.
func (k *kernel) list(p []byte, buf []region) ([]region, error) {
	from := address(p)
	a := scanArguments{
		start: from, end: from + uint64(len(p)),
		vec: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))), vecLen: uint64(len(buf)),
		categoryInverted: pageIsFile | pageIsZeros, categoryMask: pageIsFile | pageIsZeros,
		categoryAnyofMask: pageIsPresent | pageIsSwapped, returnMask: pageIsPresent,
	}
	a.size = uint64(unsafe.Sizeof(a))
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, k.pagemap.Fd(), pagemapScan, uintptr(unsafe.Pointer(&a)))
	runtime.KeepAlive(buf)
	switch {
	case errno != 0:
		return nil, errno
	case a.walkEnd != a.end:
		return nil, errMore
	}
	return buf[:n], nil
}
