//go:build wasip1

// Package abi is namespace writ1 of sdk/ABI.md for the guests of these tests, without the comfort of
// an SDK: what a guest does not call is not linked.
package abi

import "unsafe"

//go:wasmimport writ1 input_len
func inputLen() uint32

//go:wasmimport writ1 input_read
func inputRead(p unsafe.Pointer, n, offset uint32) int32

//go:wasmimport writ1 output_write
func outputWrite(p unsafe.Pointer, n uint32) int32

//go:wasmimport writ1 error_write
func errorWrite(p unsafe.Pointer, n uint32) int32

//go:wasmimport writ1 log
func log(level uint32, p unsafe.Pointer, n uint32) int32

//go:wasmimport writ1 progress
func progress(done, total float64, p unsafe.Pointer, n uint32) int32

//go:wasmimport writ1 config_get
func configGet(key unsafe.Pointer, keyLen uint32, p unsafe.Pointer, n uint32) int32

//go:wasmimport writ1 http_start
func httpStart(head unsafe.Pointer, headLen uint32, body unsafe.Pointer, bodyLen uint32) int32

//go:wasmimport writ1 kv_start
func kvStart(head unsafe.Pointer, headLen uint32, body unsafe.Pointer, bodyLen uint32) int32

//go:wasmimport writ1 op_wait
func opWait(ids unsafe.Pointer, count uint32, millis int64) int32

//go:wasmimport writ1 op_status
func opStatus(op int32) int32

//go:wasmimport writ1 op_len
func opLen(op int32, part uint32) int32

//go:wasmimport writ1 op_read
func opRead(op int32, part, offset uint32, p unsafe.Pointer, n uint32) int32

//go:wasmimport writ1 op_close
func opClose(op int32) int32

func ptr[T ~[]byte | ~string](s T) (unsafe.Pointer, uint32) {
	b := []byte(s)
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

// Input reads the whole input.
func Input() []byte {
	in := make([]byte, inputLen())
	inputRead(unsafe.Pointer(unsafe.SliceData(in)), uint32(len(in)), 0)
	return in
}

// Output appends to the output.
func Output(p []byte) int32 { return outputWrite(ptr(p)) }

// Error appends to the error text.
func Error(text string) int32 { return errorWrite(ptr(text)) }

// Log writes a log line.
func Log(level uint32, text string) int32 {
	p, n := ptr(text)
	return log(level, p, n)
}

// Progress reports progress.
func Progress(done, total float64, text string) int32 {
	p, n := ptr(text)
	return progress(done, total, p, n)
}

// Config asks for a value: the text, or a negated code.
func Config(key string) (string, int32) {
	k, kn := ptr(key)
	n := configGet(k, kn, nil, 0)
	if n < 0 {
		return "", n
	}
	buf := make([]byte, n)
	n = configGet(k, kn, unsafe.Pointer(unsafe.SliceData(buf)), uint32(n))
	return string(buf), n
}

// HTTPStart starts an exchange.
func HTTPStart(head string, body []byte) int32 {
	h, hn := ptr(head)
	b, bn := ptr(body)
	return httpStart(h, hn, b, bn)
}

// KVStart does an operation on what is kept.
func KVStart(head string, body []byte) int32 {
	h, hn := ptr(head)
	b, bn := ptr(body)
	return kvStart(h, hn, b, bn)
}

// Wait waits for one of ids.
func Wait(millis int64, ids ...int32) int32 {
	return opWait(unsafe.Pointer(unsafe.SliceData(ids)), uint32(len(ids)), millis)
}

// Status is a finished operation's code.
func Status(op int32) int32 { return opStatus(op) }

// Part reads a part of a finished operation.
func Part(op int32, part uint32) (string, int32) {
	n := opLen(op, part)
	if n < 0 {
		return "", n
	}
	buf := make([]byte, n)
	opRead(op, part, 0, unsafe.Pointer(unsafe.SliceData(buf)), uint32(n))
	return string(buf), n
}

// Close forgets an operation.
func Close(op int32) int32 { return opClose(op) }
