// Package extism is what a plug-in that was made with an Extism PDK expects of its host, as far as it
// needs no runtime: the memory that host and plug-in share (Kernel), and the JSON that they exchange.
// sdk/EXTISM.md says what of it is supported. Nothing here decides what a plug-in may do.
//
// Sources: the extism project's kernel (kernel/src/lib.rs) and its Go SDK (host.go), for names, argument
// order and what is consumed by whom; the code is our own.
package extism
