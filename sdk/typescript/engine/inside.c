// QuickJS, and what needs its insides.

// Arenas are how QuickJS packs small blocks: one per size, and each a page of its own if they were as
// large as it makes them. See memory.c.
static unsigned arena_size(void);

#include "quickjs.c"
#include "engine.h"
#include "lines.c"
#include "json.c"
#include "seal.c"

// QuickJS reads the numbers of JSON with it. The one of libc brings arithmetic of 128 bits along.
double strtod(const char *restrict s, char **restrict end) {
  JSATODTempMem scratch;
  const char *last;
  double v = js_atod(s, &last, 10, 0, &scratch);
  if (end) *end = (char *)last;
  return v;
}

// In a call, room for one block of the largest size: more would be pages that a small call writes a little of.
static unsigned arena_size(void) { return engine_mode == SERVING ? 640 : 4096; }

void poll_soon(JSContext *ctx) { ctx->interrupt_counter = 1; }

int in_script(JSRuntime *rt) { return rt->current_stack_frame != NULL; }

JSValue engine_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  static int seeded; // is 0 again in every call, like all of memory
  if (engine_mode == SERVING && !seeded) {
    do host_random(&ctx->random_state, sizeof ctx->random_state);
    while (ctx->random_state == 0);
    seeded = 1;
  }
  return js_math_random(ctx, self, argc, argv);
}
