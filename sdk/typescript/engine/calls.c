// Calls of a script's function by another one, without a call of the interpreter in itself: that takes
// thirty times as much of a host's stack as of this one's, and a host ends a call in which a thousand are
// nested. Included by the interpreter, which nested.patch lets use it; what goes through a native
// function (a callback of map, a getter, a constructor) nests as before.

#include "engine.h"

// nested is a call that a function of the same run of the interpreter made: what the interpreter needs to
// go on with the caller, and the frame of the function that was called.
struct nested {
  struct nested *up; // the call that the caller is in; NULL: the run's own
  JSStackFrame frame, *caller;
  JSValue *caller_locals, *caller_sp;
  JSValueConst caller_this, caller_target, *caller_argv, this_obj, *argv;
  int caller_argc, argc;
  int below; // values under the arguments: the function and, of a method, its object
  bool tail; // the caller returns what comes back
  uint32_t size;
  struct chunk *made; // for this call
  JSValue locals[];
};

// chunk is a place for calls; those that were made before are in another. A servlet's first is in memory.c.
struct chunk { uint8_t *next, *end; };

enum {
  NESTED_MOST = 3 << 20, // bytes: some 15,000 calls
  CHUNK_LEAST = 4 << 10,
  CHUNK_MOST = 64 << 10,
};

static struct chunk calls; // the one that is filled now
static uint32_t nested_bytes;

// is_nested tells whether a value that is called is a script's plain function.
static inline bool is_nested(JSValueConst f) {
  return JS_VALUE_GET_TAG(f) == JS_TAG_OBJECT && JS_VALUE_GET_OBJ(f)->class_id == JS_CLASS_BYTECODE_FUNCTION;
}

// nested_room takes memory for a call; NULL with an exception.
static struct nested *nested_room(JSContext *ctx, uint32_t size) {
  struct chunk *made = NULL;
  if (size > NESTED_MOST - nested_bytes) {
    JS_ThrowStackOverflow(ctx);
    return NULL;
  }
  if (size > (uint32_t)(calls.end - calls.next)) {
    uint32_t whole = CHUNK_LEAST;
    while (whole < CHUNK_MOST && whole < nested_bytes) whole *= 2;
    if (whole < size + sizeof *made) whole = size + sizeof *made;
    made = js_malloc(ctx, whole);
    if (!made) return NULL;
    *made = calls;
    calls = (struct chunk){(uint8_t *)(made + 1), (uint8_t *)made + whole};
  }
  struct nested *n = (struct nested *)calls.next;
  calls.next += size;
  nested_bytes += size;
  n->size = size;
  n->made = made;
  return n;
}

// nested_enter makes the frame of a function that is called with the topmost argc values of a stack.
static __attribute__((noinline)) struct nested *nested_enter(JSContext *ctx, JSStackFrame *caller, JSValue *sp, int argc) {
  JSValueConst f = sp[-argc - 1];
  JSFunctionBytecode *b = JS_VALUE_GET_OBJ(f)->u.func.function_bytecode;
  int copied = argc < b->arg_count ? b->arg_count : 0, values = copied + b->var_count;
  if (js_poll_interrupts(ctx)) return NULL;
  uint32_t size = sizeof(struct nested) + sizeof(JSValue) * (values + b->stack_size) + sizeof(JSVarRef *) * b->var_ref_count;
  struct nested *n = nested_room(ctx, (size + 7) & ~7u);
  if (!n) return NULL;
  n->caller = caller;
  n->caller_sp = sp;
  n->argc = argc;
  n->argv = vc(sp - argc);
  JSStackFrame *frame = &n->frame;
  *frame = (JSStackFrame){
      .prev_frame = caller, .cur_func = unsafe_unconst(f), .arg_buf = copied ? n->locals : sp - argc, .var_buf = n->locals + copied,
      .var_refs = (JSVarRef **)(n->locals + values + b->stack_size), .var_ref_count = b->var_ref_count,
      .arg_count = copied ? copied : argc, .is_strict_mode = b->is_strict_mode,
  };
  for (int i = 0; i < values; i++) n->locals[i] = copied && i < argc ? js_dup(sp[i - argc]) : JS_UNDEFINED;
  memset(frame->var_refs, 0, sizeof(JSVarRef *) * b->var_ref_count);
  ctx->rt->current_stack_frame = frame;
  return n;
}

// nested_leave gives the memory of the last call back. What is in it can be read until the next one.
static void nested_leave(JSContext *ctx, struct nested *n) {
  nested_bytes -= n->size;
  calls.next -= n->size;
  if (n->made) {
    calls = *n->made;
    js_free(ctx, n->made);
  }
}

// nested_seal gives calls their first place. None is running.
static void nested_seal(void) { calls = (struct chunk){memory_calls, memory_calls + MEMORY_CALLS}; }
