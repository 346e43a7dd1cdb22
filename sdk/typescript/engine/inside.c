// QuickJS, and what needs its insides.

// Arenas are how QuickJS packs small blocks: one per size, and each a page of its own if they were as
// large as it makes them. See memory.c.
static unsigned arena_size(void);

#include "quickjs.c"
#include "engine.h"
#include "lines.c"
#include "json.c"

// QuickJS reads the numbers of JSON with it. The one of libc brings arithmetic of 128 bits along.
double strtod(const char *restrict s, char **restrict end) {
  JSATODTempMem scratch;
  const char *last;
  double v = js_atod(s, &last, 10, 0, &scratch);
  if (end) *end = (char *)last;
  return v;
}

static unsigned arena_size(void) { return engine_mode == SERVING ? 1024 : 4096; }

void memory_seal(JSRuntime *rt) {
  for (int i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
    struct list_head *at, *next;
    list_for_each_safe(at, next, &rt->arena_state.free_arena_list[i]) init_list_head(at);
    init_list_head(&rt->arena_state.free_arena_list[i]);
  }
}

JSValue engine_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  static int seeded; // is 0 again in every call, like all of memory
  if (engine_mode == SERVING && !seeded) {
    do host_random(&ctx->random_state, sizeof ctx->random_state);
    while (ctx->random_state == 0);
    seeded = 1;
  }
  return js_math_random(ctx, self, argc, argv);
}
