// The engine's allocator. While a servlet is loaded, all comes from libc and is wiped when it is freed:
// what is not in use is not in the file. In a call, small blocks come from a room of their own, so that a
// call writes to as few pages as it can: each is restored after it. Large ones come from libc, which
// joins them again.
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

enum { ROOM = 256 << 10, STEP = 16, LARGEST = 8 << 10, HEAD = 8 };

// What nearly every call writes to lies side by side, from the start of a page.
static struct {
  _Alignas(4096) uint8_t calls[MEMORY_CALLS];
  void *vacant[LARGEST / STEP + 1]; // lists of freed blocks, by size
  uint32_t used;
  _Alignas(STEP) uint8_t room[ROOM];
} hot = {.used = HEAD}; // so that what follows a block's head is aligned

uint8_t *const memory_calls = hot.calls;

static int in_room(const void *p) { return (const uint8_t *)p >= hot.room && (const uint8_t *)p < hot.room + ROOM; }

static uint32_t *head(void *p) { return (uint32_t *)((uint8_t *)p - HEAD); }

static size_t size(const void *p) { return in_room(p) ? *head((void *)p) : malloc_usable_size((void *)p); }

void *memory_alloc(size_t n) {
  if (engine_mode != SERVING || n > LARGEST - HEAD) return malloc(n);
  uint32_t whole = (n + HEAD + STEP - 1) / STEP * STEP;
  void **list = &hot.vacant[whole / STEP], *p = *list;
  if (p) {
    *list = *(void **)p;
    return p;
  }
  if (ROOM - hot.used < whole) return malloc(n);
  p = hot.room + hot.used + HEAD;
  *head(p) = whole - HEAD;
  hot.used += whole;
  return p;
}

static void release(void *p) {
  if (!p) return;
  if (in_room(p)) {
    void **list = &hot.vacant[(*head(p) + HEAD) / STEP];
    *(void **)p = *list;
    *list = p;
    return;
  }
  if (engine_mode != SERVING) memset(p, 0, malloc_usable_size(p));
  free(p);
}

void memory_round(void) {
  enum { PAGE = 64 << 10, LEAST = 32, SPARE = 4, PIECE = PAGE - 1024 };
  size_t pages = LEAST;
  while (pages < __builtin_wasm_memory_size(0) + SPARE) pages *= 2;
  // libc joins the pieces again when they are freed. Without memory for the last, the size is another one.
  void **last = NULL, **piece;
  while (__builtin_wasm_memory_size(0) < pages && (piece = malloc(PIECE))) {
    *piece = last;
    last = piece;
  }
  while ((piece = last)) {
    last = *piece;
    *piece = NULL;
    free(piece);
  }
}

static void *mem_alloc(void *opaque, size_t n) { return memory_alloc(n); }
static void mem_free(void *opaque, void *p) { release(p); }

static void *mem_calloc(void *opaque, size_t n, size_t each) {
  if (engine_mode != SERVING || n * each > LARGEST - HEAD) return calloc(n, each);
  void *p = memory_alloc(n * each);
  return p ? memset(p, 0, n * each) : NULL;
}

static void *mem_realloc(void *opaque, void *p, size_t n) {
  if (!p) return memory_alloc(n);
  if (engine_mode == SERVING && !in_room(p)) return realloc(p, n);
  size_t old = size(p);
  if (in_room(p) && n <= old) return p;
  void *q = memory_alloc(n);
  if (!q) return NULL;
  memcpy(q, p, old < n ? old : n);
  release(p);
  return q;
}

const JSMallocFunctions memory_functions = {mem_calloc, mem_alloc, mem_free, mem_realloc, size};
