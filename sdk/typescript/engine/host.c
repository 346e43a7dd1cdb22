// The functions that a script calls the host with: thin, one for each function of namespace writ1.
// Names, values and codes are those of sdk/ABI.md; the TypeScript in front of them makes them pleasant.
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/time.h>
#include "engine.h"

#define WRIT(name) IMPORT("writ1", name)
WRIT("input_len") int32_t input_len(void);
WRIT("input_read") int32_t input_read(void *p, uint32_t n, uint32_t offset);
WRIT("output_write") int32_t output_write(const void *p, uint32_t n);
WRIT("error_write") int32_t error_write(const void *p, uint32_t n);
WRIT("log") int32_t log_line(int32_t level, const void *p, uint32_t n);
WRIT("progress") int32_t progress(double done, double total, const void *p, uint32_t n);
WRIT("op_wait") int32_t op_wait(const int32_t *ids, uint32_t count, int64_t millis);
WRIT("op_status") int32_t op_status(int32_t op);
WRIT("op_len") int32_t op_len(int32_t op, int32_t part);
WRIT("op_read") int32_t op_read(int32_t op, int32_t part, uint32_t offset, void *p, uint32_t n);
WRIT("op_close") int32_t op_close(int32_t op);
WRIT("config_get") int32_t config_get(const void *key, uint32_t key_len, void *p, uint32_t n);
WRIT("http_start") int32_t http_start(const void *head, uint32_t head_len, const void *body, uint32_t body_len);
WRIT("web_start") int32_t web_start(const void *head, uint32_t head_len, const void *body, uint32_t body_len);
WRIT("kv_start") int32_t kv_start(const void *head, uint32_t head_len, const void *body, uint32_t body_len);

IMPORT("wasi_snapshot_preview1", "random_get") int32_t random_get(void *p, uint32_t n);
IMPORT("wasi_snapshot_preview1", "clock_time_get") int32_t clock_time_get(int32_t id, uint64_t precision, uint64_t *time);

typedef int32_t starter(const void *, uint32_t, const void *, uint32_t);

// The imports of capability kinds are called through this table alone, so that the toolchain can take
// the ones that a servlet does not request out of its module and leave the code as it is. Volatile, or
// the compiler would call them directly.
static struct {
  int32_t (*config_get)(const void *, uint32_t, void *, uint32_t);
  starter *http_start, *web_start, *kv_start;
} volatile granted = {config_get, http_start, web_start, kv_start};

uint8_t *host_input(uint32_t *length) {
  uint32_t n = input_len();
  uint8_t *p = memory_alloc((size_t)n + 1);
  if (!p) return NULL;
  *length = input_read(p, n, 0);
  p[*length] = 0;
  return p;
}

int host_output(const void *p, size_t n) { return output_write(p, n); }
int host_error(const void *p, size_t n) { return error_write(p, n); }
int host_log(int level, const void *p, size_t n) { return log_line(level, p, n); }

void host_random(void *p, uint32_t n) { random_get(p, n); }

// While a servlet is built, time stands still: what a script reads of it then is in every copy.
enum { BUILD_TIME = 1767225600 }; // 2026-01-01

int clock_gettime(clockid_t id, struct timespec *t) {
  uint64_t now = 0;
  if (engine_mode == SERVING) clock_time_get(id == CLOCK_REALTIME ? 0 : 1, 0, &now);
  else if (id == CLOCK_REALTIME) now = BUILD_TIME * 1000000000ull;
  t->tv_sec = now / 1000000000u;
  t->tv_nsec = now % 1000000000u;
  return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return 0;
}

uint8_t *host_bytes(JSContext *ctx, JSValueConst v, size_t *n) {
  size_t whole, offset = 0;
  if (JS_GetTypedArrayType(v) < 0) return JS_GetArrayBuffer(ctx, n, v);
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, v, &offset, n, NULL);
  if (JS_IsException(buffer)) return NULL;
  uint8_t *p = JS_GetArrayBuffer(ctx, &whole, buffer);
  JS_FreeValue(ctx, buffer);
  if (!p) return NULL;
  if (offset + *n > whole) { JS_ThrowRangeError(ctx, "outside of the buffer"); return NULL; }
  return p + offset;
}

static JSValue js_log(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t level;
  size_t n;
  if (JS_ToInt32(ctx, &level, argv[0])) return JS_EXCEPTION;
  const char *s = JS_ToCStringLen(ctx, &n, argv[1]);
  if (!s) return JS_EXCEPTION;
  log_line(level, s, n);
  JS_FreeCString(ctx, s);
  return JS_UNDEFINED;
}

static JSValue js_progress(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  double done, total;
  size_t n;
  if (JS_ToFloat64(ctx, &done, argv[0]) || JS_ToFloat64(ctx, &total, argv[1])) return JS_EXCEPTION;
  const char *s = JS_ToCStringLen(ctx, &n, argv[2]);
  if (!s) return JS_EXCEPTION;
  int32_t code = progress(done, total, s, n);
  JS_FreeCString(ctx, s);
  return JS_NewInt32(ctx, code);
}

// config(key): the value, or a code.
static JSValue js_config(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  char short_value[256], *value = short_value;
  size_t n;
  if (!(engine_kinds & KIND_CONFIG)) return JS_NewInt32(ctx, DENIED);
  const char *key = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!key) return JS_EXCEPTION;
  int32_t length = granted.config_get(key, n, value, sizeof short_value);
  if (length > (int32_t)sizeof short_value) {
    value = js_malloc(ctx, length);
    if (value) length = granted.config_get(key, n, value, length);
  }
  JS_FreeCString(ctx, key);
  if (!value) return JS_EXCEPTION;
  JSValue v = length < 0 ? JS_NewInt32(ctx, length) : JS_NewStringLen(ctx, value, length);
  if (value != short_value) js_free(ctx, value);
  return v;
}

// start(kind, head, body?): the id of an operation, or a code.
static JSValue js_start(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t kind;
  size_t head_len, body_len = 0;
  uint8_t *body = NULL;
  if (JS_ToInt32(ctx, &kind, argv[0])) return JS_EXCEPTION;
  if (!(engine_kinds & kind)) return JS_NewInt32(ctx, DENIED);
  starter *start = kind == KIND_HTTP ? granted.http_start : kind == KIND_WEB ? granted.web_start
                 : kind == KIND_KV ? granted.kv_start : NULL;
  if (!start) return JS_NewInt32(ctx, INVALID);
  if (!JS_IsUndefined(argv[2]) && !(body = host_bytes(ctx, argv[2], &body_len))) return JS_EXCEPTION;
  const char *head = JS_ToCStringLen(ctx, &head_len, argv[1]);
  if (!head) return JS_EXCEPTION;
  int32_t id = start(head, head_len, body, body_len);
  JS_FreeCString(ctx, head);
  return JS_NewInt32(ctx, id);
}

// wait(ids: Int32Array, millis): the id of one that is done, 0 after the time, or a code.
static JSValue js_wait(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t n;
  int64_t millis;
  if (JS_ToInt64(ctx, &millis, argv[1])) return JS_EXCEPTION;
  uint8_t *ids = host_bytes(ctx, argv[0], &n);
  if (!ids) return JS_EXCEPTION;
  return JS_NewInt32(ctx, op_wait((int32_t *)ids, n / 4, millis));
}

static JSValue js_status(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t op;
  if (JS_ToInt32(ctx, &op, argv[0])) return JS_EXCEPTION;
  return JS_NewInt32(ctx, op_status(op));
}

static JSValue js_close(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t op;
  if (JS_ToInt32(ctx, &op, argv[0])) return JS_EXCEPTION;
  return JS_NewInt32(ctx, op_close(op));
}

// size(op, part): bytes of a part of a finished operation, or a code.
static JSValue js_size(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t op, part;
  if (JS_ToInt32(ctx, &op, argv[0]) || JS_ToInt32(ctx, &part, argv[1])) return JS_EXCEPTION;
  return JS_NewInt32(ctx, op_len(op, part));
}

// read(op, part, view): fills the view from the part's start; returns the bytes copied, or a code.
static JSValue js_read(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t op, part;
  size_t n;
  if (JS_ToInt32(ctx, &op, argv[0]) || JS_ToInt32(ctx, &part, argv[1])) return JS_EXCEPTION;
  uint8_t *p = host_bytes(ctx, argv[2], &n);
  if (!p) return JS_EXCEPTION;
  return JS_NewInt32(ctx, op_read(op, part, 0, p, n));
}

// random(buffer or view): fills it; a code while the servlet is built.
static JSValue js_fill_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t n;
  uint8_t *p = host_bytes(ctx, argv[0], &n);
  if (!p) return JS_EXCEPTION;
  if (engine_mode != SERVING) return JS_NewInt32(ctx, DENIED);
  host_random(p, n);
  return JS_NewInt32(ctx, 0);
}

// encode(string): its UTF-8, as an ArrayBuffer.
static JSValue js_encode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  JSValue v = JS_NewArrayBufferCopy(ctx, (const uint8_t *)s, n);
  JS_FreeCString(ctx, s);
  return v;
}

// decode(buffer, offset, length): the string of UTF-8 bytes; what is not UTF-8 becomes U+FFFD.
static JSValue js_decode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t n;
  uint32_t offset, length;
  uint8_t *p = JS_GetArrayBuffer(ctx, &n, argv[0]);
  if (!p || JS_ToUint32(ctx, &offset, argv[1]) || JS_ToUint32(ctx, &length, argv[2])) return JS_EXCEPTION;
  if ((uint64_t)offset + length > n) return JS_ThrowRangeError(ctx, "outside of the buffer");
  return JS_NewStringLen(ctx, (const char *)p + offset, length);
}

// evaluate(code, name): a promise of an object whose value is that of the code's last expression. Its
// declarations are global, and it may wait at its top level.
static JSValue js_evaluate(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t n;
  const char *code = JS_ToCStringLen(ctx, &n, argv[0]), *name = code ? JS_ToCString(ctx, argv[1]) : NULL;
  JSValue v = name ? JS_Eval(ctx, code, n, name, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_ASYNC | JS_EVAL_FLAG_BACKTRACE_BARRIER) : JS_EXCEPTION;
  JS_FreeCString(ctx, name);
  JS_FreeCString(ctx, code);
  return v;
}

static JSValue js_building(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return JS_NewBool(ctx, engine_mode != SERVING);
}

static JSValue js_traced(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return JS_NewBool(ctx, engine_traced);
}

static JSValue js_kinds(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return JS_NewUint32(ctx, engine_kinds);
}

void define(JSContext *ctx, JSValueConst object, const char *name, JSCFunction *function, int arguments) {
  JS_SetPropertyStr(ctx, object, name, JS_NewCFunction(ctx, function, name, arguments));
}

void host_functions(JSContext *ctx, JSValueConst object) {
  define(ctx, object, "log", js_log, 2);
  define(ctx, object, "progress", js_progress, 3);
  define(ctx, object, "config", js_config, 1);
  define(ctx, object, "start", js_start, 3);
  define(ctx, object, "wait", js_wait, 2);
  define(ctx, object, "status", js_status, 1);
  define(ctx, object, "size", js_size, 2);
  define(ctx, object, "read", js_read, 3);
  define(ctx, object, "close", js_close, 1);
  define(ctx, object, "random", js_fill_random, 1);
  define(ctx, object, "encode", js_encode, 1);
  define(ctx, object, "decode", js_decode, 3);
  define(ctx, object, "evaluate", js_evaluate, 2);
  define(ctx, object, "building", js_building, 0);
  define(ctx, object, "traced", js_traced, 0);
  define(ctx, object, "kinds", js_kinds, 0);
}
