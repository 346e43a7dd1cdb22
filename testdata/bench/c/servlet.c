// The benchmarks' servlet in C, with the system's wasi-libc: the same work as in go/main.go.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("writ1"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(input_len) uint32_t input_len(void);
IMPORT(input_read) int32_t input_read(void *to, uint32_t len, uint32_t offset);
IMPORT(output_write) int32_t output_write(const void *from, uint32_t len);
IMPORT(error_write) int32_t error_write(const void *from, uint32_t len);

// The table that a call looks one entry up in: "key-0000" to "key-1999".
enum { entries = 2000, slots = 4096, key_len = 8 };
static struct { char key[key_len + 1]; int value; } table[slots];

static uint32_t hash(const char *key) {
  uint32_t h = 2166136261u;
  for (int i = 0; i < key_len; i++) h = (h ^ (uint8_t)key[i]) * 16777619u;
  return h;
}

__attribute__((constructor)) static void fill(void) {
  for (int i = 0; i < entries; i++) {
    char key[key_len + 1];
    snprintf(key, sizeof key, "key-%04d", i);
    uint32_t at = hash(key) % slots;
    while (table[at].key[0]) at = (at + 1) % slots;
    memcpy(table[at].key, key, sizeof key);
    table[at].value = i;
  }
}

static int find(const char *key) {
  for (uint32_t at = hash(key) % slots; table[at].key[0]; at = (at + 1) % slots)
    if (!memcmp(table[at].key, key, key_len)) return table[at].value;
  return -1;
}

// A reader of JSON. After an error at is NULL, and stays it.
typedef struct { const char *at; } reader;

static void space(reader *r) {
  while (r->at && *r->at && strchr(" \t\r\n", *r->at)) r->at++;
}

// take consumes one character, or fails.
static int take(reader *r, char c) {
  space(r);
  if (r->at && *r->at == c) { r->at++; return 1; }
  r->at = NULL;
  return 0;
}

static int peek(reader *r) {
  space(r);
  return r->at ? *r->at : 0;
}

// text reads a string without escapes into to, which has room for size bytes.
static void text(reader *r, char *to, size_t size) {
  if (!take(r, '"')) return;
  const char *end = r->at;
  while (*end && *end != '"' && *end != '\\') end++;
  size_t len = (size_t)(end - r->at);
  if (*end != '"' || len >= size) { r->at = NULL; return; }
  memcpy(to, r->at, len);
  to[len] = 0;
  r->at = end + 1;
}

// The arguments of a call.
typedef struct { char op[16], text[128]; long sum; } arguments;

static void numbers(reader *r, long *sum) {
  if (!take(r, '[')) return;
  while (r->at && peek(r) != ']') {
    char *end;
    *sum += strtol(r->at, &end, 10);
    r->at = end == r->at ? NULL : end;
    if (peek(r) == ',') r->at++;
  }
  take(r, ']');
}

static void members(reader *r, arguments *a);

static void member(reader *r, arguments *a) {
  char name[16], other[128];
  text(r, name, sizeof name);
  take(r, ':');
  if (!strcmp(name, "params") || !strcmp(name, "arguments")) members(r, a);
  else if (!strcmp(name, "op")) text(r, a->op, sizeof a->op);
  else if (!strcmp(name, "text")) text(r, a->text, sizeof a->text);
  else if (!strcmp(name, "nums")) numbers(r, &a->sum);
  else text(r, other, sizeof other);
}

static void members(reader *r, arguments *a) {
  if (!take(r, '{')) return;
  while (r->at && peek(r) != '}') {
    member(r, a);
    if (peek(r) == ',') r->at++;
  }
  take(r, '}');
}

static int32_t fail(const char *why) {
  error_write(why, strlen(why));
  return 1;
}

// What calls do that are to be stopped.
static volatile uint32_t sink;
__attribute__((noinline)) static uint32_t recurse(uint32_t n) { return n ? recurse(n + 1) + sink : sink; }

static int32_t endless(const char *op) {
  if (!strcmp(op, "recurse")) for (;;) sink = recurse(1);
  if (!strcmp(op, "fill")) {
    enum { size = 16 << 20 };
    char *block = malloc(size);
    for (int c = 0; block; c++) { memset(block, c, size); sink += (uint8_t)block[c & (size - 1)]; }
  }
  return fail("no such op");
}

EXPORT(servlet_call) int32_t servlet_call(void) {
  uint32_t len = input_len();
  char *in = malloc(len + 1);
  if (!in) return fail("out of memory");
  input_read(in, len, 0);
  in[len] = 0;
  reader r = {in};
  arguments a = {0};
  members(&r, &a);
  free(in);
  if (!r.at) return fail("the request is not understood");
  if (strcmp(a.op, "sum")) return endless(a.op);
  char out[256];
  int n = snprintf(out, sizeof out, "{\"content\":[{\"type\":\"text\",\"text\":\"sum %ld, entry %d: %s\"}]}", a.sum, find(a.text), a.text);
  output_write(out, n);
  return 0;
}

EXPORT(servlet_describe) int32_t servlet_describe(void) {
  static const char tools[] =
      "{\"tools\":[{\"name\":\"work\",\"description\":\"Adds numbers\",\"annotations\":{\"readOnlyHint\":true,\"openWorldHint\":false},"
      "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"op\":{\"type\":\"string\"},"
      "\"nums\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},\"text\":{\"type\":\"string\"}},\"required\":[\"op\"]}}]}";
  output_write(tools, sizeof tools - 1);
  return 0;
}
