package abi

import "unsafe"

//go:wasmimport writ1 input_len
func inputLen() int32

//go:wasmimport writ1 input_read
func inputRead(ptr unsafe.Pointer, size int32, offset int32) int32

//go:wasmimport writ1 output_write
func outputWrite(ptr unsafe.Pointer, size int32) int32

//go:wasmimport writ1 error_write
func errorWrite(text string) int32

//go:wasmimport writ1 log
func logLine(level int32, text string) int32

//go:wasmimport writ1 progress
func progress(done, total float64, text string) int32

//go:wasmimport writ1 config_get
func configGet(key string, ptr unsafe.Pointer, size int32) int32

//go:wasmimport writ1 http_start
func httpStart(headPtr unsafe.Pointer, headLen int32, bodyPtr unsafe.Pointer, bodyLen int32) int32

//go:wasmimport writ1 web_start
func webStart(headPtr unsafe.Pointer, headLen int32, bodyPtr unsafe.Pointer, bodyLen int32) int32

//go:wasmimport writ1 kv_start
func kvStart(headPtr unsafe.Pointer, headLen int32, bodyPtr unsafe.Pointer, bodyLen int32) int32

//go:wasmimport writ1 op_wait
func opWait(ids unsafe.Pointer, count int32, timeoutMS int64) int32

//go:wasmimport writ1 op_status
func opStatus(op int32) int32

//go:wasmimport writ1 op_len
func opLen(op, part int32) int32

//go:wasmimport writ1 op_read
func opRead(op, part, offset int32, ptr unsafe.Pointer, size int32) int32

//go:wasmimport writ1 op_close
func opClose(op int32) int32

// request has room for most requests, so that one question is enough.
var request [4 << 10]byte

// Input returns the whole request. It is called once.
func Input() []byte {
	n := inputRead(unsafe.Pointer(&request), int32(len(request)), 0)
	if n < int32(len(request)) {
		return request[:max(n, 0)]
	}
	buf := make([]byte, max(inputLen(), 0))
	return fill(buf, func(ptr unsafe.Pointer, size, offset int32) int32 { return inputRead(ptr, size, offset) })
}

// Output appends to the answer. It returns 0 or a negated code.
func Output(b []byte) int32 {
	if len(b) == 0 {
		return 0
	}
	return min(outputWrite(unsafe.Pointer(unsafe.SliceData(b)), int32(len(b))), 0)
}

// Fail appends to the error text.
func Fail(text string) { errorWrite(text) }

// Log writes one line for the operator.
func Log(level int32, text string) { logLine(level, text) }

// Progress tells a waiting client how far the call is.
func Progress(done, total float64, text string) { progress(done, total, text) }

// Config returns the value of a key, or a negated code.
func Config(key string) (string, int32) {
	buf := make([]byte, 256)
	for {
		n := configGet(key, unsafe.Pointer(unsafe.SliceData(buf)), int32(len(buf)))
		if n < 0 {
			return "", n
		}
		if int(n) <= len(buf) {
			return string(buf[:n]), 0
		}
		buf = make([]byte, n)
	}
}

// StartHTTP starts an exchange and returns its operation, or a negated code.
func StartHTTP(head, body []byte) int32 {
	return httpStart(unsafe.Pointer(unsafe.SliceData(head)), int32(len(head)), unsafe.Pointer(unsafe.SliceData(body)), int32(len(body)))
}

// StartWeb starts to fetch a page and returns its operation, or a negated code.
func StartWeb(head, body []byte) int32 {
	return webStart(unsafe.Pointer(unsafe.SliceData(head)), int32(len(head)), unsafe.Pointer(unsafe.SliceData(body)), int32(len(body)))
}

// StartKV does an operation on what the servlet keeps and returns it, ended, or a negated code.
func StartKV(head, body []byte) int32 {
	return kvStart(unsafe.Pointer(unsafe.SliceData(head)), int32(len(head)), unsafe.Pointer(unsafe.SliceData(body)), int32(len(body)))
}

// Wait returns the first finished operation among ids, 0 after the timeout, or a negated code.
func Wait(ids []int32, timeoutMS int64) int32 {
	return opWait(unsafe.Pointer(unsafe.SliceData(ids)), int32(len(ids)), timeoutMS)
}

// Status returns 0 for an operation that succeeded, [Running], or the negated code of its failure.
func Status(op int32) int32 { return opStatus(op) }

// Part returns a copy of one part of a finished operation.
func Part(op, part int32) []byte {
	buf := make([]byte, max(opLen(op, part), 0))
	return fill(buf, func(ptr unsafe.Pointer, size, offset int32) int32 { return opRead(op, part, offset, ptr, size) })
}

// Close forgets an operation, and cancels it when it runs.
func Close(op int32) { opClose(op) }

// fill reads until buf is full or the source ends: a host may hand out less than was asked for.
func fill(buf []byte, read func(ptr unsafe.Pointer, size, offset int32) int32) []byte {
	done := 0
	for done < len(buf) {
		n := read(unsafe.Pointer(&buf[done]), int32(len(buf)-done), int32(done))
		if n <= 0 {
			break
		}
		done += int(n)
	}
	return buf[:done]
}
