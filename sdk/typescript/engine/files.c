// The functions with which a script reaches files: thin, on WASI preview 1. They return negated errno
// values of that interface.
#include <string.h>
#include "engine.h"

#define WASI(name) IMPORT("wasi_snapshot_preview1", name)
WASI("fd_prestat_get") int32_t fd_prestat_get(int32_t fd, void *prestat);
WASI("fd_prestat_dir_name") int32_t fd_prestat_dir_name(int32_t fd, void *p, uint32_t n);
WASI("fd_read") int32_t fd_read(int32_t fd, const void *iovs, uint32_t count, uint32_t *n);
WASI("fd_write") int32_t fd_write(int32_t fd, const void *iovs, uint32_t count, uint32_t *n);
WASI("fd_close") int32_t fd_close(int32_t fd);
WASI("fd_readdir") int32_t fd_readdir(int32_t fd, void *p, uint32_t n, uint64_t cookie, uint32_t *used);
WASI("path_open") int32_t path_open(int32_t fd, int32_t lookup, const void *p, uint32_t n, int32_t oflags, uint64_t rights, uint64_t inherited, int32_t fdflags, int32_t *out);
WASI("path_filestat_get") int32_t path_filestat_get(int32_t fd, int32_t lookup, const void *p, uint32_t n, void *stat);
WASI("path_create_directory") int32_t path_create_directory(int32_t fd, const void *p, uint32_t n);
WASI("path_remove_directory") int32_t path_remove_directory(int32_t fd, const void *p, uint32_t n);
WASI("path_unlink_file") int32_t path_unlink_file(int32_t fd, const void *p, uint32_t n);
WASI("path_rename") int32_t path_rename(int32_t fd, const void *p, uint32_t n, int32_t to, const void *q, uint32_t m);

typedef int32_t on_path(int32_t, const void *, uint32_t);

// As in host.c: the imports of a kind are called through this table alone.
static struct {
  int32_t (*open)(int32_t, int32_t, const void *, uint32_t, int32_t, uint64_t, uint64_t, int32_t, int32_t *);
  int32_t (*stat)(int32_t, int32_t, const void *, uint32_t, void *);
  int32_t (*rename)(int32_t, const void *, uint32_t, int32_t, const void *, uint32_t);
  on_path *mkdir, *rmdir, *unlink;
} volatile granted = {
    path_open, path_filestat_get, path_rename, path_create_directory, path_remove_directory, path_unlink_file};

enum { EACCES_WASI = 2, EINVAL_WASI = 28, RIGHT_READ = 1 << 1, RIGHT_WRITE = 1 << 6, FOLLOW = 1 };

struct iovec_wasi { const void *p; uint32_t n; };

// folder reads the arguments (fd, path) that many functions start with; 0: an exception is pending.
static const char *folder(JSContext *ctx, JSValueConst *argv, int32_t *fd, size_t *n) {
  if (JS_ToInt32(ctx, fd, argv[0])) return NULL;
  return JS_ToCStringLen(ctx, n, argv[1]);
}

static int refused(void) { return !(engine_kinds & KIND_FS) || engine_mode != SERVING; }

// preopens(): [fd, path] of each directory that the servlet was given.
static JSValue js_preopens(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  JSValue list = JS_NewArray(ctx);
  struct { uint8_t kind; uint32_t length; } prestat;
  char name[4096];
  for (int32_t fd = 3; !refused() && fd_prestat_get(fd, &prestat) == 0; fd++) {
    if (prestat.length > sizeof name || fd_prestat_dir_name(fd, name, prestat.length)) continue;
    JSValue pair = JS_NewArray(ctx);
    JS_SetPropertyUint32(ctx, pair, 0, JS_NewInt32(ctx, fd));
    JS_SetPropertyUint32(ctx, pair, 1, JS_NewStringLen(ctx, name, prestat.length));
    JS_SetPropertyUint32(ctx, list, fd - 3, pair);
  }
  return list;
}

// open(fd, path, oflags, write, append): a file descriptor.
static JSValue js_open(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t fd, oflags, out, code;
  size_t n;
  if (refused()) return JS_NewInt32(ctx, -EACCES_WASI);
  const char *path = folder(ctx, argv, &fd, &n);
  if (!path) return JS_EXCEPTION;
  if (JS_ToInt32(ctx, &oflags, argv[2])) { JS_FreeCString(ctx, path); return JS_EXCEPTION; }
  uint64_t rights = JS_ToBool(ctx, argv[3]) ? RIGHT_WRITE : RIGHT_READ;
  code = granted.open(fd, FOLLOW, path, n, oflags, rights, rights, JS_ToBool(ctx, argv[4]), &out);
  JS_FreeCString(ctx, path);
  return JS_NewInt32(ctx, code ? -code : out);
}

// transfer is read(fd, view) or write(fd, view): the bytes that were moved.
static JSValue js_transfer(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int write) {
  int32_t fd;
  uint32_t moved = 0;
  size_t n;
  if (JS_ToInt32(ctx, &fd, argv[0])) return JS_EXCEPTION;
  uint8_t *p = host_bytes(ctx, argv[1], &n);
  if (!p) return JS_EXCEPTION;
  struct iovec_wasi v = {p, n};
  int32_t code = write ? fd_write(fd, &v, 1, &moved) : fd_read(fd, &v, 1, &moved);
  return JS_NewInt32(ctx, code ? -code : (int32_t)moved);
}

static JSValue js_close_file(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t fd;
  if (JS_ToInt32(ctx, &fd, argv[0])) return JS_EXCEPTION;
  return JS_NewInt32(ctx, -fd_close(fd));
}

// stat(fd, path): [type, size, time of change in milliseconds].
static JSValue js_stat(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  struct { uint64_t device, inode; uint8_t type; uint64_t links, size, accessed, modified, changed; } s;
  int32_t fd;
  size_t n;
  if (refused()) return JS_NewInt32(ctx, -EACCES_WASI);
  const char *path = folder(ctx, argv, &fd, &n);
  if (!path) return JS_EXCEPTION;
  int32_t code = granted.stat(fd, FOLLOW, path, n, &s);
  JS_FreeCString(ctx, path);
  if (code) return JS_NewInt32(ctx, -code);
  JSValue v = JS_NewArray(ctx);
  JS_SetPropertyUint32(ctx, v, 0, JS_NewInt32(ctx, s.type));
  JS_SetPropertyUint32(ctx, v, 1, JS_NewFloat64(ctx, s.size));
  JS_SetPropertyUint32(ctx, v, 2, JS_NewFloat64(ctx, s.modified / 1000000));
  return v;
}

// list(fd): [name, type] of each entry of an open directory, without "." and "..".
static JSValue js_list(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  struct { uint64_t next, inode; uint32_t length; uint8_t type; } entry;
  enum { HEAD = 24, ROOM = 16 << 10 };
  int32_t fd, code;
  uint32_t used = ROOM, count = 0;
  uint64_t cookie = 0;
  if (JS_ToInt32(ctx, &fd, argv[0])) return JS_EXCEPTION;
  uint8_t *p = js_malloc(ctx, ROOM);
  if (!p) return JS_EXCEPTION;
  JSValue list = JS_NewArray(ctx);
  while (used == ROOM) {
    if ((code = fd_readdir(fd, p, ROOM, cookie, &used))) {
      js_free(ctx, p);
      JS_FreeValue(ctx, list);
      return JS_NewInt32(ctx, -code);
    }
    for (uint32_t at = 0; at + HEAD <= used;) {
      memcpy(&entry, p + at, HEAD);
      const char *name = (char *)p + at + HEAD;
      if (entry.length > used - at - HEAD) break; // cut: asked for again
      at += HEAD + entry.length;
      cookie = entry.next;
      if (entry.length <= 2 && !memcmp(name, "..", entry.length)) continue;
      JSValue pair = JS_NewArray(ctx);
      JS_SetPropertyUint32(ctx, pair, 0, JS_NewStringLen(ctx, name, entry.length));
      JS_SetPropertyUint32(ctx, pair, 1, JS_NewInt32(ctx, entry.type));
      JS_SetPropertyUint32(ctx, list, count++, pair);
    }
  }
  js_free(ctx, p);
  return list;
}

// change is mkdir(fd, path), rmdir(fd, path) or unlink(fd, path).
static JSValue js_change(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int which) {
  int32_t fd;
  size_t n;
  if (refused()) return JS_NewInt32(ctx, -EACCES_WASI);
  const char *path = folder(ctx, argv, &fd, &n);
  if (!path) return JS_EXCEPTION;
  on_path *change = which == 0 ? granted.mkdir : which == 1 ? granted.rmdir : granted.unlink;
  int32_t code = change(fd, path, n);
  JS_FreeCString(ctx, path);
  return JS_NewInt32(ctx, -code);
}

// rename(fd, path, to fd, to path)
static JSValue js_rename(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t fd, to, code = EINVAL_WASI;
  size_t n, m;
  if (refused()) return JS_NewInt32(ctx, -EACCES_WASI);
  const char *path = folder(ctx, argv, &fd, &n);
  if (!path) return JS_EXCEPTION;
  const char *target = folder(ctx, argv + 2, &to, &m);
  if (target) code = granted.rename(fd, path, n, to, target, m);
  JS_FreeCString(ctx, path);
  if (!target) return JS_EXCEPTION;
  JS_FreeCString(ctx, target);
  return JS_NewInt32(ctx, -code);
}

static void define_magic(JSContext *ctx, JSValueConst object, const char *name, JSCFunctionMagic *f, int arguments, int magic) {
  JS_SetPropertyStr(ctx, object, name, JS_NewCFunctionMagic(ctx, f, name, arguments, JS_CFUNC_generic_magic, magic));
}

void files_functions(JSContext *ctx, JSValueConst object) {
  define(ctx, object, "preopens", js_preopens, 0);
  define(ctx, object, "open", js_open, 5);
  define_magic(ctx, object, "readFile", js_transfer, 2, 0);
  define_magic(ctx, object, "writeFile", js_transfer, 2, 1);
  define(ctx, object, "closeFile", js_close_file, 1);
  define(ctx, object, "stat", js_stat, 2);
  define(ctx, object, "list", js_list, 1);
  define_magic(ctx, object, "mkdir", js_change, 2, 0);
  define_magic(ctx, object, "rmdir", js_change, 2, 1);
  define_magic(ctx, object, "unlink", js_change, 2, 2);
  define(ctx, object, "rename", js_rename, 4);
}
