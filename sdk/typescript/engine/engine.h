// The parts of the engine's glue: entry.c has what a host calls, host.c and files.c what a script
// calls, memory.c the allocator, inside.c and what it includes all that needs the insides of QuickJS.
#ifndef ENGINE_H
#define ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include "quickjs.h"

#define EXPORT(name) __attribute__((export_name(name), used, visibility("default")))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

// Codes of the guest interface (sdk/ABI.md), as the functions return them.
enum { DENIED = -1, INVALID = -2, NOT_FOUND = -3, LIMIT = -4, INTERNAL = -9 };

// Capability kinds, as bits. An import of a kind that a servlet does not request is not in its module.
enum { KIND_CONFIG = 1, KIND_HTTP = 2, KIND_WEB = 4, KIND_KV = 8, KIND_FS = 16 };

// What the engine is doing. Its memory is captured while it is SERVING.
enum mode { EMPTY, COMPILING, LOADING, SERVING };

extern enum mode engine_mode;
extern uint32_t engine_kinds; // what the servlet requests
extern int engine_traced;     // the servlet's author looks on: where each exception comes from is logged

// Adds the functions that a script calls the host with to an object.
void host_functions(JSContext *ctx, JSValueConst object);
void files_functions(JSContext *ctx, JSValueConst object);

// Finds the memory of an ArrayBuffer or of a view of one; NULL with an exception.
uint8_t *host_bytes(JSContext *ctx, JSValueConst v, size_t *n);

// Asks the host for random bytes.
void host_random(void *p, uint32_t n);

// Reads the whole input, with a NUL behind it; NULL: no memory.
uint8_t *host_input(uint32_t *length);

int host_output(const void *p, size_t n);
int host_error(const void *p, size_t n);
int host_log(int level, const void *p, size_t n);

// A native function of an object.
void define(JSContext *ctx, JSValueConst object, const char *name, JSCFunction *function, int arguments);

// One mapping of the bundle to a source file; lines and columns count from 1.
struct mapping { uint32_t line, column, file, source_line, source_column; };

// Gives all functions of a compiled script the names and lines of the files that they were written in.
// A function with code of several files keeps its place in the bundle. Returns -1 with an exception.
int lines_remap(JSContext *ctx, JSValueConst script, const struct mapping *map, uint32_t count,
                const char *const *files, uint32_t file_count);

// Math.random: seeded by the host when a call first asks, so that no two calls draw the same.
JSValue engine_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv);

// Puts the fast JSON.parse and JSON.stringify in place.
void json_install(JSContext *ctx);

// A value of JSON text, or an exception. p has a NUL at p[n].
JSValue json_read(JSContext *ctx, const char *p, size_t n);

// The JSON of a value, valid UTF-8, to be freed with js_free; NULL with an exception.
uint8_t *json_write(JSContext *ctx, JSValueConst v, size_t *n);

// The allocator of the engine (memory.c).
extern const JSMallocFunctions memory_functions;
void *memory_alloc(size_t n);

// A place for the frames of the first calls (calls.c), beside what else a call writes to.
enum { MEMORY_CALLS = 1536 };
extern uint8_t *const memory_calls;

// Grows the memory to one of few sizes, with the new part free: small calls then need not grow it, and
// servlets whose memories have one size can share their compiled code.
void memory_round(void);

// Makes the built-in functions that the loaded script names, which QuickJS would make in every call.
void engine_settle(JSContext *ctx);

// From now on small blocks come from places that nothing is in yet, next to each other: a call then
// writes to few pages.
void memory_seal(JSRuntime *rt);

// Lets the interpreter ask its interrupt handler at its next jump or call.
void poll_soon(JSContext *ctx);

// Tells whether a function of a script is running.
int in_script(JSRuntime *rt);

#endif
