// What a host calls. The engine as it is built is EMPTY: its servlet_describe does a job of the
// toolchain, which is the first byte of the input. 'c' compiles a script to bytecode without its source;
// 'l' loads bytecode, runs the script's top level and answers with the engine's own memory. With that
// memory as its data the same code is the servlet: SERVING, before its first call.
#include <stdlib.h>
#include <string.h>
#include "engine.h"

enum mode engine_mode = EMPTY;
uint32_t engine_kinds;

static JSRuntime *rt;
static JSContext *ctx;
static JSValue dispatch; // (request) => result or promise of one
static JSValue turn;     // () => whether something happened: a timer or a host operation
static JSValue describe; // () => {tools}
static JSValue rejected; // array of [promise, reason] that nobody handles
static int64_t rejections; // its length

enum {
  // Of the 512 KiB that the linker reserves, for what nests in the engine itself: some 500 getters, 250
  // callbacks of map. A host's own stack is used up thirty times as fast, and a host that gives 4 MiB of
  // it ends the call soon after this. Plain calls nest elsewhere (calls.c).
  STACK = 112 << 10,
  ROOM_BEFORE_GC = 8 << 20,       // a small call never collects: that would touch every page
  TOP_LEVEL = 2000,               // polls; the largest packages take some 200
  JOBS_PER_POLL = 100,
};

static int polls; // left for a script's top level; QuickJS polls every 10,000 jumps and calls

// interrupt ends a top level that runs too long, as an exception that names the line. A call's time is
// the host's business.
static int interrupt(JSRuntime *runtime, void *opaque) {
  if (polls > 0) polls--;
  else if (in_script(runtime)) return 1;
  else poll_soon(ctx); // between two jobs there is no line to name
  return 0;
}

int engine_traced;
static int stopping; // the host ends the call

static int stop(JSRuntime *runtime, void *opaque) {
  if (!stopping || in_script(runtime)) return stopping;
  poll_soon(ctx); // between two jobs there is no line to name
  return 0;
}

static int32_t refuse(const char *text) {
  host_error(text, strlen(text));
  return 1;
}

// say hands a string of an object to a function that takes bytes; 0: there is none.
static int say(JSValueConst object, const char *property, const char *before, int (*to)(const void *, size_t)) {
  size_t n;
  JSValue v = JS_IsObject(object) ? JS_GetPropertyStr(ctx, object, property) : JS_UNDEFINED;
  const char *text = JS_IsString(v) ? JS_ToCStringLen(ctx, &n, v) : NULL;
  if (text && n > 0) {
    if (*before) to(before, strlen(before));
    to(text, n);
  }
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, v);
  return text != NULL;
}

static int log_error(const void *p, size_t n) { return host_log(3, p, n); }

// is_plain tells whether an exception's message says all that there is to say.
static int is_plain(JSValueConst e) {
  JSValue name = JS_IsObject(e) ? JS_GetPropertyStr(ctx, e, "name") : JS_UNDEFINED;
  const char *text = JS_IsString(name) ? JS_ToCString(ctx, name) : NULL;
  int plain = text && !strcmp(text, "Error");
  JS_FreeCString(ctx, text);
  JS_FreeValue(ctx, name);
  return plain;
}

// failed writes what an exception says to the error text. Its stack is the author's: the toolchain reads
// it there, and of a call it is in the operator's log alone.
static int32_t failed(void) {
  JSValue e = JS_GetException(ctx);
  size_t n;
  if (JS_IsNull(e)) return refuse("out of memory"); // there was none for the exception either
  int serving = engine_mode == SERVING;
  if (!serving || !is_plain(e) || !say(e, "message", "", host_error)) {
    const char *text = JS_ToCStringLen(ctx, &n, e);
    if (!text) return refuse("an exception without a text");
    host_error(text, n);
    if (serving && JS_IsObject(e)) log_error(text, n);
    JS_FreeCString(ctx, text);
    say(e, "stack", serving ? "" : "\n", serving ? log_error : host_error);
  }
  JS_FreeValue(ctx, e);
  return 1;
}

static void tracker(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
  if (!handled) {
    JSValue pair = JS_NewArray(c);
    JS_SetPropertyUint32(c, pair, 0, JS_DupValue(c, promise));
    JS_SetPropertyUint32(c, pair, 1, JS_DupValue(c, reason));
    JS_SetPropertyUint32(c, rejected, rejections++, pair);
    return;
  }
  for (int64_t i = 0; i < rejections; i++) {
    JSValue pair = JS_GetPropertyInt64(c, rejected, i);
    JSValue first = JS_GetPropertyUint32(c, pair, 0);
    if (JS_IsStrictEqual(c, first, promise)) JS_SetPropertyUint32(c, pair, 0, JS_UNDEFINED);
    JS_FreeValue(c, first);
    JS_FreeValue(c, pair);
  }
}

// unhandled throws the first rejection that nobody handled; 0: there is none. It forgets them all.
static int unhandled(void) {
  int found = 0;
  for (int64_t i = 0; i < rejections; i++) {
    JSValue pair = JS_GetPropertyInt64(ctx, rejected, i), promise = JS_GetPropertyUint32(ctx, pair, 0);
    if (!found && !JS_IsUndefined(promise)) {
      found = 1;
      JS_Throw(ctx, JS_GetPropertyUint32(ctx, pair, 1));
    }
    JS_FreeValue(ctx, promise);
    JS_FreeValue(ctx, pair);
  }
  JS_FreeValue(ctx, rejected);
  rejected = JS_NewArray(ctx);
  rejections = 0;
  return found;
}

// report logs the rejections that nobody handled; that of answer, the call's own result, is its failure.
static void report(JSValueConst answer) {
  for (int64_t i = 0; i < rejections; i++) {
    JSValue pair = JS_GetPropertyInt64(ctx, rejected, i);
    JSValue promise = JS_GetPropertyUint32(ctx, pair, 0), reason = JS_GetPropertyUint32(ctx, pair, 1);
    const char *text = JS_IsUndefined(promise) || JS_IsStrictEqual(ctx, promise, answer) ? NULL : JS_ToCString(ctx, reason);
    if (text) {
      JSValue stack = JS_IsObject(reason) ? JS_GetPropertyStr(ctx, reason, "stack") : JS_UNDEFINED;
      const char *lines = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
      static const char said[] = "unhandled rejection: ";
      size_t size = sizeof said + strlen(text) + (lines ? strlen(lines) : 0) + 1;
      char *line = malloc(size);
      if (line) {
        strcpy(line, said);
        strcat(line, text);
        if (lines) strcat(strcat(line, "\n"), lines);
        host_log(3, line, strlen(line));
        free(line);
      }
      if (lines) JS_FreeCString(ctx, lines);
      JS_FreeValue(ctx, stack);
      JS_FreeCString(ctx, text);
    }
    JS_FreeValue(ctx, promise);
    JS_FreeValue(ctx, reason);
    JS_FreeValue(ctx, pair);
  }
}

// drain runs the jobs that are due; -1: one threw. While a script is loaded, jobs that never end are
// counted too: they are short, and QuickJS would poll too seldom.
static int drain(void) {
  JSContext *c;
  int r;
  for (uint32_t jobs = 1; (r = JS_ExecutePendingJob(rt, &c)) > 0; jobs++)
    if (jobs % JOBS_PER_POLL == 0 && polls > 0) polls--;
  return r;
}

// serve(dispatch, turn, describe) is how the SDK says what it does.
static JSValue js_serve(JSContext *c, JSValueConst self, int argc, JSValueConst *argv) {
  dispatch = JS_DupValue(c, argv[0]);
  turn = JS_DupValue(c, argv[1]);
  describe = JS_DupValue(c, argv[2]);
  return JS_UNDEFINED;
}

// Runs with _initialize, before anything is asked of the engine.
__attribute__((constructor)) static void start(void) {
  rt = JS_NewRuntime2(&memory_functions, NULL);
  if (!rt) abort();
  JS_SetMaxStackSize(rt, STACK);
  ctx = JS_NewContext(rt);
  if (!ctx) abort();
  dispatch = turn = describe = JS_UNDEFINED;
  rejected = JS_NewArray(ctx);
  JS_SetHostPromiseRejectionTracker(rt, tracker, NULL);
  JSValue global = JS_GetGlobalObject(ctx), math = JS_GetPropertyStr(ctx, global, "Math");
  JSValue host = JS_NewObject(ctx);
  json_install(ctx);
  define(ctx, math, "random", engine_random, 0);
  define(ctx, host, "serve", js_serve, 3);
  host_functions(ctx, host);
  files_functions(ctx, host);
  JS_SetPropertyStr(ctx, global, "__writ", host);
  JS_FreeValue(ctx, math);
  JS_FreeValue(ctx, global);
}

// reader walks over a job's input.
struct reader { const uint8_t *p, *end; };

static uint32_t word(struct reader *r) {
  uint32_t v = 0;
  if (r->end - r->p < 4) { r->p = r->end; return 0; }
  memcpy(&v, r->p, 4);
  r->p += 4;
  return v;
}

// compile: u32 number of file names, each u32 length, bytes and a NUL; padding to 4 bytes; u32 number of
// mappings and those; the script, to the end of the input.
static int32_t compile(struct reader r) {
  uint32_t file_count = word(&r);
  if (file_count > (uint32_t)(r.end - r.p)) return refuse("the job is malformed");
  const char **files = malloc((file_count + 1) * sizeof *files);
  if (!files) return refuse("out of memory");
  for (uint32_t i = 0; i < file_count; i++) {
    uint32_t n = word(&r);
    if (n >= (uint32_t)(r.end - r.p) || r.p[n]) return refuse("the job is malformed");
    files[i] = (const char *)r.p;
    r.p += n + 1;
  }
  r.p = (const uint8_t *)(((uintptr_t)r.p + 3) & ~(uintptr_t)3);
  uint32_t count = word(&r);
  const struct mapping *map = (const struct mapping *)r.p;
  if (r.p > r.end || count > (uint32_t)(r.end - r.p) / sizeof *map) return refuse("the job is malformed");
  r.p += count * sizeof *map;
  JSValue script = JS_Eval(ctx, (const char *)r.p, r.end - r.p, "<bundle>", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(script)) return failed();
  if (lines_remap(ctx, script, map, count, files, file_count) < 0) return failed();
  size_t n;
  uint8_t *bytecode = JS_WriteObject(ctx, &n, script, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
  if (!bytecode) return failed();
  return host_output(bytecode, n) < 0 ? refuse("the bytecode is too large") : 0;
}

extern uint8_t __global_base;

// answer writes a value as JSON to the output. Nothing is freed after a call: its memory is thrown away.
static int32_t answer(JSValue v) {
  size_t n;
  uint8_t *json = json_write(ctx, v, &n);
  if (!json) return failed();
  int written = host_output(json, n);
  if (engine_mode != SERVING) {
    js_free(ctx, json);
    JS_FreeValue(ctx, v);
  }
  return written < 0 ? refuse("the result is larger than this call may return") : 0;
}

// evaluate runs the top level of a script.
static int evaluate(const uint8_t *p, size_t n) {
  JSValue script = JS_ReadObject(ctx, p, n, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(script)) return -1;
  JSValue v = JS_EvalFunction(ctx, script);
  if (JS_IsException(v)) return -1;
  JS_FreeValue(ctx, v);
  return drain();
}

// load: u32 capability kinds, then bytecode. The output is the description in JSON, a NUL, u32 address of
// the memory that follows, and that memory, to its end.
static int32_t load(struct reader r, uint8_t *input, uint32_t length) {
  engine_kinds = word(&r);
  polls = TOP_LEVEL;
  JS_SetInterruptHandler(rt, interrupt, NULL);
  int code = evaluate(r.p, r.end - r.p);
  memset(input, 0, length);
  free(input);
  if (code < 0 || unhandled()) return failed();
  if (JS_IsUndefined(describe)) return refuse("the script does not import the SDK");
  JSValue tools = JS_Call(ctx, describe, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(tools) || drain() < 0) return failed();
  if (unhandled()) JS_FreeValue(ctx, JS_GetException(ctx)); // of made-up calls, which may fail
  if (answer(tools)) return 1;
  JS_SetInterruptHandler(rt, NULL, NULL);
  engine_settle(ctx);
  JS_RunGC(rt);
  JSMemoryUsage used;
  JS_ComputeMemoryUsage(rt, &used);
  JS_SetGCThreshold(rt, used.malloc_size + ROOM_BEFORE_GC);
  memory_round();
  memory_seal(rt);
  engine_mode = SERVING;
  uint32_t base = (uint32_t)(uintptr_t)&__global_base;
  uint32_t size = __builtin_wasm_memory_size(0) * 65536 - base;
  host_output("", 1);
  host_output(&base, sizeof base);
  return host_output(&__global_base, size) < 0 ? refuse("the servlet is too large") : 0;
}

EXPORT("servlet_describe") int32_t servlet_describe(void) {
  JS_UpdateStackTop(rt);
  if (engine_mode == SERVING) {
    JSValue tools = JS_Call(ctx, describe, JS_UNDEFINED, 0, NULL);
    return JS_IsException(tools) ? failed() : answer(tools);
  }
  uint32_t length;
  uint8_t *input = host_input(&length);
  if (!input) return refuse("out of memory");
  struct reader r = {input + 4, input + length};
  if (length < 4) return refuse("the engine has no script: it is part of a servlet");
  switch (input[0]) {
  case 'c': engine_mode = COMPILING; return compile(r);
  case 'l': engine_mode = LOADING; return load(r, input, length);
  }
  return refuse("the job is malformed");
}

// settle runs the script until a promise is settled.
static JSValue settle(JSValue v) {
  while (JS_IsPromise(v) && JS_PromiseState(ctx, v) == JS_PROMISE_PENDING) {
    JSValue t = JS_Call(ctx, turn, JS_UNDEFINED, 0, NULL);
    if (JS_IsException(t) || drain() < 0) return JS_EXCEPTION;
    if (JS_ToBool(ctx, t)) continue;
    if (JS_PromiseState(ctx, v) != JS_PROMISE_PENDING) break;
    return JS_ThrowPlainError(ctx, "the tool waits for a promise that nothing will settle");
  }
  if (!JS_IsPromise(v)) return v;
  JSValue result = JS_PromiseResult(ctx, v);
  int thrown = JS_PromiseState(ctx, v) == JS_PROMISE_REJECTED;
  return thrown ? JS_Throw(ctx, result) : result;
}

// Of a host that shows calls to the servlet's author. 1, before a call: log where exceptions come from. 2, in
// the middle of one, which waits for this to return: end it soon, with an exception that nothing catches, at
// the line where it is. Whoever waits may have values below the stack pointer: nothing here uses the stack.
EXPORT("servlet_trace") void servlet_trace(int32_t what) {
  if (what == 1) {
    engine_traced = 1;
    JS_SetInterruptHandler(rt, stop, NULL);
  } else if (what == 2) {
    stopping = 1;
    poll_soon(ctx);
  }
}

EXPORT("servlet_call") int32_t servlet_call(void) {
  JS_UpdateStackTop(rt);
  if (engine_mode != SERVING) return refuse("the engine has no script: it is part of a servlet");
  uint32_t length;
  uint8_t *input = host_input(&length);
  if (!input) return refuse("out of memory");
  JSValue request = json_read(ctx, (char *)input, length);
  if (JS_IsException(request)) return failed();
  JSValue promise = JS_Call(ctx, dispatch, JS_UNDEFINED, 1, (JSValueConst *)&request), result = promise;
  if (!JS_IsException(result)) result = drain() < 0 ? JS_EXCEPTION : settle(result);
  report(promise);
  return JS_IsException(result) ? failed() : answer(result);
}
