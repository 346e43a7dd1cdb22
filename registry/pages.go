package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The database maps its file into memory and follows whatever page numbers, counts and lengths it
// finds there: a cut file faults, a page that points to itself overflows the stack (which no Go
// program survives), and a lowered count hides records without a trace. So the file is read here
// first, by plain reads, and believed only when every byte that means something is as its writer
// lays it out. The layout is that of bbolt's file format, version 2.
const (
	pageHeaderSize = 16
	pageBranch     = 0x01
	pageLeaf       = 0x02
	pageMeta       = 0x04
	pageFree       = 0x10
	metaSize       = 64 // without the page's header
	metaMagic      = 0xED0CDAED
	metaVersion    = 2
	bucketHeader   = 16 // root page, sequence
	leafBucket     = 0x01
	elementSize    = 16 // of branch and leaf alike
	maxFilePages   = 1 << 28
	maxDepth       = 32 // far more than a full file of the largest size needs
)

var native = binary.NativeEndian

// meta is the newest root of the file.
type meta struct {
	pageSize int
	root     uint64
	free     uint64
	pages    uint64 // high water mark
	tx       uint64
}

// readMeta reads both roots. Both must hold and follow each other: with one of them unreadable the
// database would quietly answer from the other, one transaction back, and so restore a revoked
// grant. (A commit that was cut short leaves both intact: a root fits into one disk sector.)
func readMeta(f io.ReaderAt, size int64) (meta, error) {
	first, err := readMetaPage(f, 0, 0)
	if err != nil {
		return meta{}, err
	}
	second, err := readMetaPage(f, int64(first.pageSize), 1)
	if err != nil {
		return meta{}, err
	}
	newest, older := first, second
	if second.tx > first.tx {
		newest, older = second, first
	}
	if second.pageSize != first.pageSize || newest.tx != older.tx+1 {
		return meta{}, errors.New("its two roots do not follow each other")
	}
	if newest.pages > maxFilePages || int64(newest.pages)*int64(newest.pageSize) > size {
		return meta{}, fmt.Errorf("it is cut: %d bytes of at least %d", size, newest.pages*uint64(newest.pageSize))
	}
	return newest, nil
}

func readMetaPage(f io.ReaderAt, offset int64, id uint64) (meta, error) {
	var b [pageHeaderSize + metaSize]byte
	if n, err := f.ReadAt(b[:], offset); n < len(b) {
		if err == io.EOF {
			return meta{}, fmt.Errorf("it is cut: root %d is missing", id)
		}
		return meta{}, err
	}
	m := b[pageHeaderSize:]
	sum := fnv.New64a()
	sum.Write(m[:56])
	if native.Uint64(b[0:]) != id || native.Uint16(b[8:]) != pageMeta || native.Uint32(m[0:]) != metaMagic ||
		native.Uint32(m[4:]) != metaVersion || native.Uint64(m[56:]) != sum.Sum64() {
		return meta{}, fmt.Errorf("root %d is not one of a store", id)
	}
	pageSize := native.Uint32(m[8:])
	if pageSize < 1024 || pageSize > 1<<16 || pageSize&(pageSize-1) != 0 {
		return meta{}, fmt.Errorf("root %d names a page size of %d", id, pageSize)
	}
	return meta{
		pageSize: int(pageSize),
		root:     native.Uint64(m[16:]),
		free:     native.Uint64(m[32:]),
		pages:    native.Uint64(m[40:]),
		tx:       native.Uint64(m[48:]),
	}, nil
}

// bucketVisitor is told what a walk finds: each bucket of the root, then its elements in order.
type bucketVisitor interface {
	bucket(name []byte, sequence uint64) error
	element(key, value []byte) error
}

// walker reads a whole file page by page.
type walker struct {
	file  io.ReaderAt
	meta  meta
	seen  []bool // by page number: reached from the root, or free
	depth int    // of the branch being read
	visit bucketVisitor
}

// walkPages checks every page that a reader or writer of the file could come to.
func walkPages(f io.ReaderAt, size int64, visit bucketVisitor) error {
	m, err := readMeta(f, size)
	if err != nil {
		return err
	}
	w := &walker{file: f, meta: m, seen: make([]bool, m.pages), visit: visit}
	if m.pages < 4 {
		return errors.New("it has no pages")
	}
	w.seen[0], w.seen[1] = true, true
	if _, err := w.tree(m.root, keyRange{}, w.rootElement); err != nil {
		return err
	}
	if err := w.freeList(); err != nil {
		return err
	}
	for id, seen := range w.seen {
		if !seen {
			return fmt.Errorf("page %d is lost", id)
		}
	}
	return nil
}

// page reads a page with its overflow and marks it: no page is reached twice, so no walk is endless.
func (w *walker) page(id uint64) (page, error) {
	if id < 2 || id >= w.meta.pages {
		return page{}, fmt.Errorf("page %d does not exist", id)
	}
	size := int64(w.meta.pageSize)
	b := make([]byte, size)
	if _, err := w.file.ReadAt(b, int64(id)*size); err != nil {
		return page{}, fmt.Errorf("page %d: %v", id, err)
	}
	overflow := uint64(native.Uint32(b[12:]))
	if native.Uint64(b) != id || overflow >= w.meta.pages-id {
		return page{}, fmt.Errorf("page %d is another", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i] {
			return page{}, fmt.Errorf("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	if overflow > 0 {
		b = append(b, make([]byte, int64(overflow)*size)...)
		if _, err := w.file.ReadAt(b[size:], int64(id+1)*size); err != nil {
			return page{}, fmt.Errorf("page %d: %v", id, err)
		}
	}
	return page{id: id, data: b}, nil
}

// tree walks the pages below id in order and hands each element of a leaf to leaf. It returns the
// last key, which the next tree must exceed.
func (w *walker) tree(id uint64, in keyRange, leaf func(element) error) (keyRange, error) {
	if w.depth++; w.depth > maxDepth {
		return in, fmt.Errorf("page %d lies too deep", id)
	}
	defer func() { w.depth-- }()
	p, err := w.page(id)
	if err != nil {
		return in, err
	}
	elements, err := p.elements()
	if err != nil {
		return in, err
	}
	if p.flags() == pageBranch && len(elements) == 0 {
		return in, fmt.Errorf("page %d branches nowhere", id)
	}
	for _, e := range elements {
		if p.flags() == pageBranch {
			// The first key below may be greater than the one that leads to it, never less.
			if in, err = in.from(e.key); err != nil {
				return in, fmt.Errorf("page %d: %w", id, err)
			}
			in, err = w.tree(e.child, in, leaf)
		} else if in, err = in.next(e.key); err == nil {
			err = leaf(e)
		}
		if err != nil {
			return in, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return in, nil
}

// rootElement walks one bucket: inside its own element when it is small, else a tree of its own.
func (w *walker) rootElement(e element) error {
	if e.flags != leafBucket || len(e.value) < bucketHeader {
		return errors.New("an element of the root is no bucket")
	}
	if err := w.visit.bucket(e.key, native.Uint64(e.value[8:])); err != nil {
		return err
	}
	record := func(e element) error {
		if e.flags != 0 {
			return errors.New("a record is marked as something else")
		}
		return w.visit.element(e.key, e.value)
	}
	if root := native.Uint64(e.value); root != 0 {
		if len(e.value) != bucketHeader {
			return errors.New("a bucket has two forms")
		}
		_, err := w.tree(root, keyRange{}, record)
		return err
	}
	inline := page{data: e.value[bucketHeader:]}
	if len(inline.data) < pageHeaderSize || native.Uint64(inline.data) != 0 || native.Uint32(inline.data[12:]) != 0 || inline.flags() != pageLeaf {
		return errors.New("a small bucket is not laid out as one")
	}
	elements, err := inline.elements()
	if err != nil {
		return err
	}
	var in keyRange
	for _, e := range elements {
		if in, err = in.next(e.key); err == nil {
			err = record(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// freeList checks that what a writer would overwrite is not in use.
func (w *walker) freeList() error {
	p, err := w.page(w.meta.free)
	if err != nil {
		return err
	}
	if p.flags() != pageFree {
		return fmt.Errorf("page %d is no list of free pages", p.id)
	}
	ids, count := p.data[pageHeaderSize:], uint64(native.Uint16(p.data[10:]))
	if count == 0xFFFF {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d lists more free pages than it holds", p.id)
	}
	for i := range count {
		id := native.Uint64(ids[8*i:])
		if id < 2 || id >= w.meta.pages || w.seen[id] {
			return fmt.Errorf("page %d is free and in use", id)
		}
		w.seen[id] = true
	}
	return nil
}

// page is one page with the pages that overflow from it.
type page struct {
	id   uint64
	data []byte
}

func (p page) flags() uint16 { return native.Uint16(p.data[8:]) }

// element is one entry of a branch (child) or of a leaf (flags, value).
type element struct {
	flags      uint32
	child      uint64
	key, value []byte
}

// elements reads the entries of a branch or leaf. Their data must follow the entries without a gap,
// as their writer puts it: a count that lost a bit would otherwise hide the entries at the end.
func (p page) elements() ([]element, error) {
	count := int(native.Uint16(p.data[10:]))
	next := uint64(pageHeaderSize + count*elementSize)
	if f := p.flags(); f != pageBranch && f != pageLeaf || next > uint64(len(p.data)) {
		return nil, fmt.Errorf("page %d is neither branch nor leaf", p.id)
	}
	if count == 0 && len(p.data) > pageHeaderSize {
		// Only a bucket within its parent's entry may be empty, and then it ends with its header: a
		// count of four that lost its bit would otherwise hide all four.
		return nil, fmt.Errorf("page %d is empty and should not be", p.id)
	}
	out := make([]element, count)
	for i := range out {
		at := pageHeaderSize + i*elementSize
		head := p.data[at : at+elementSize]
		var e element
		var pos, key, value uint64
		if p.flags() == pageBranch {
			pos, key = uint64(native.Uint32(head)), uint64(native.Uint32(head[4:]))
			e.child = native.Uint64(head[8:])
		} else {
			e.flags = native.Uint32(head)
			pos, key, value = uint64(native.Uint32(head[4:])), uint64(native.Uint32(head[8:])), uint64(native.Uint32(head[12:]))
		}
		end := next + key + value
		if uint64(at)+pos != next || key == 0 || end > uint64(len(p.data)) {
			return nil, fmt.Errorf("page %d: entry %d is out of place", p.id, i)
		}
		e.key, e.value = p.data[next:next+key], p.data[next+key:end]
		out[i], next = e, end
	}
	return out, nil
}

// keyRange is how far an ordered walk has come.
type keyRange struct {
	last  []byte // greatest key of a leaf so far, nil at the start
	least []byte // the next key is this or greater
}

var errKeyOrder = errors.New("keys are out of order")

func (r keyRange) from(key []byte) (keyRange, error) {
	if r.last != nil && bytes.Compare(key, r.last) <= 0 || r.least != nil && bytes.Compare(key, r.least) < 0 {
		return r, errKeyOrder
	}
	r.least = key
	return r, nil
}

func (r keyRange) next(key []byte) (keyRange, error) {
	if r.last != nil && bytes.Compare(key, r.last) <= 0 || r.least != nil && bytes.Compare(key, r.least) < 0 {
		return r, errKeyOrder
	}
	return keyRange{last: key}, nil
}
