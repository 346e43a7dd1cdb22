// JSON, read and written fast: most of what a servlet does is this. What is not plain (a toJSON method, a
// getter, a Proxy, a syntax error, a deep nesting) is left to QuickJS, whose results and errors are the
// same. Included by inside.c.

enum { DEEPEST = 200 }; // what is nested deeper is left to QuickJS, which knows its stack

// ---- writing

struct writer {
  JSContext *ctx;
  uint8_t *p;
  size_t n, room;
  int replace; // lone surrogates become U+FFFD and not an escape: no reader of the result likes those
};

// LEFT means that the value is for QuickJS; FAILED that an exception is pending.
enum outcome { FAILED = -1, DONE = 0, LEFT = 1 };

static uint8_t *reserve(struct writer *w, size_t more) {
  if (w->room - w->n < more) {
    size_t room = w->room * 2 > w->n + more ? w->room * 2 : w->n + more + 256;
    uint8_t *p = js_realloc(w->ctx, w->p, room);
    if (!p) return NULL;
    w->p = p;
    w->room = room;
  }
  return w->p + w->n;
}

static int put(struct writer *w, const char *s, size_t n) {
  uint8_t *p = reserve(w, n);
  if (!p) return FAILED;
  memcpy(p, s, n);
  w->n += n;
  return DONE;
}

// escape writes one character as JSON has to have it; room for 6 bytes was reserved.
static uint8_t *escape(uint8_t *p, unsigned c) {
  static const char digits[] = "0123456789abcdef";
  static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\";
  *p++ = '\\';
  for (const char *s = named; *s; s += 2)
    if ((unsigned char)*s == c) { *p++ = s[1]; return p; }
  *p++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *p++ = digits[c >> shift & 15];
  return p;
}

static int put_string8(struct writer *w, const uint8_t *s, size_t n) {
  size_t worst = n * 6 + 2;
  // Long strings seldom need escapes: reserve what is likely, and check.
  if (n > 1024) {
    worst = 2;
    for (size_t i = 0; i < n; i++) worst += s[i] < 0x20 || s[i] == '"' || s[i] == '\\' ? 6 : s[i] < 0x80 ? 1 : 2;
  }
  uint8_t *p = reserve(w, worst);
  if (!p) return FAILED;
  *p++ = '"';
  for (size_t i = 0; i < n; i++) {
    unsigned c = s[i];
    if (c < 0x20 || c == '"' || c == '\\') p = escape(p, c);
    else if (c < 0x80) *p++ = c;
    else { *p++ = 0xc0 | c >> 6; *p++ = 0x80 | (c & 63); }
  }
  *p++ = '"';
  w->n = p - w->p;
  return DONE;
}

static int put_string16(struct writer *w, const uint16_t *s, size_t n) {
  uint8_t *p = reserve(w, n * 6 + 2);
  if (!p) return FAILED;
  *p++ = '"';
  for (size_t i = 0; i < n; i++) {
    unsigned c = s[i];
    if (c < 0x20 || c == '"' || c == '\\') { p = escape(p, c); continue; }
    if (c >= 0xd800 && c < 0xe000) {
      if (c < 0xdc00 && i + 1 < n && s[i + 1] >= 0xdc00 && s[i + 1] < 0xe000) {
        p += utf8_encode(p, 0x10000 + ((c - 0xd800) << 10) + (s[++i] - 0xdc00));
        continue;
      }
      if (!w->replace) { p = escape(p, c); continue; }
      c = 0xfffd;
    }
    p += utf8_encode(p, c);
  }
  *p++ = '"';
  w->n = p - w->p;
  return DONE;
}

static int put_string(struct writer *w, JSString *s) {
  return s->is_wide_char ? put_string16(w, str16(s), s->len) : put_string8(w, str8(s), s->len);
}

static int put_value(struct writer *w, JSValueConst v, int depth);

// plain tells whether an object has no exotic behaviour and no toJSON above it.
static int plain(const JSObject *p, int class) {
  if (p->class_id != class || p->is_exotic != (class == JS_CLASS_ARRAY)) return 0;
  for (JSObject *up = p->shape->proto; up; up = up->shape->proto)
    if ((up->is_exotic && up->class_id != JS_CLASS_ARRAY) || find_own_property1(up, JS_ATOM_toJSON)) return 0;
  return 1;
}

static int put_array(struct writer *w, JSObject *p, int depth) {
  JSValue length = p->prop[0].u.value;
  if (!p->fast_array || JS_VALUE_GET_TAG(length) != JS_TAG_INT || JS_VALUE_GET_INT(length) != p->u.array.count) return LEFT;
  if (put(w, "[", 1)) return FAILED;
  for (uint32_t i = 0; i < p->u.array.count; i++) {
    if (i > 0 && put(w, ",", 1)) return FAILED;
    size_t before = w->n;
    int outcome = put_value(w, p->u.array.u.values[i], depth);
    if (outcome) return outcome;
    if (w->n == before && put(w, "null", 4)) return FAILED;
  }
  return put(w, "]", 1);
}

static int put_object(struct writer *w, JSObject *p, int depth) {
  JSShapeProperty *row = get_shape_prop(p->shape);
  int first = 1;
  if (put(w, "{", 1)) return FAILED;
  for (int i = 0; i < p->shape->prop_count; i++, row++) {
    if (row->atom == JS_ATOM_NULL || !(row->flags & JS_PROP_ENUMERABLE)) continue;
    if ((row->flags & JS_PROP_TMASK) != JS_PROP_NORMAL || __JS_AtomIsTaggedInt(row->atom) || row->atom == JS_ATOM_toJSON) return LEFT;
    JSAtomStruct *name = w->ctx->rt->atom_array[row->atom];
    if (name->atom_type != JS_ATOM_TYPE_STRING) continue;
    size_t before = w->n;
    if ((!first && put(w, ",", 1)) || put_string(w, name) || put(w, ":", 1)) return FAILED;
    size_t named = w->n;
    int outcome = put_value(w, p->prop[i].u.value, depth);
    if (outcome) return outcome;
    if (w->n == named) w->n = before; // undefined, a function or a symbol
    else first = 0;
  }
  return put(w, "}", 1);
}

// put_value writes nothing for what JSON has no word for.
static int put_value(struct writer *w, JSValueConst v, int depth) {
  char number[JS_DTOA_MAX_DIGITS + 32];
  JSDTOATempMem scratch;
  if (depth > DEEPEST) return LEFT;
  switch (JS_VALUE_GET_NORM_TAG(v)) {
  case JS_TAG_STRING: return put_string(w, JS_VALUE_GET_STRING(v));
  case JS_TAG_INT: return put(w, number, i32toa(number, JS_VALUE_GET_INT(v)));
  case JS_TAG_BOOL: return JS_VALUE_GET_BOOL(v) ? put(w, "true", 4) : put(w, "false", 5);
  case JS_TAG_NULL: return put(w, "null", 4);
  case JS_TAG_UNDEFINED: case JS_TAG_SYMBOL: return DONE;
  case JS_TAG_FLOAT64: {
    double d = JS_VALUE_GET_FLOAT64(v);
    if (!isfinite(d)) return put(w, "null", 4);
    return put(w, number, js_dtoa(number, d, 10, 0, JS_DTOA_FORMAT_FREE, &scratch));
  }
  case JS_TAG_STRING_ROPE: {
    JSValue flat = js_linearize_string_rope(w->ctx, v);
    if (JS_IsException(flat)) return FAILED;
    int outcome = put_string(w, JS_VALUE_GET_STRING(flat));
    JS_FreeValue(w->ctx, flat);
    return outcome;
  }
  case JS_TAG_OBJECT: {
    JSObject *p = JS_VALUE_GET_OBJ(v);
    if (plain(p, JS_CLASS_OBJECT)) return put_object(w, p, depth + 1);
    if (plain(p, JS_CLASS_ARRAY)) return put_array(w, p, depth + 1);
    return LEFT;
  }
  }
  return LEFT;
}

uint8_t *json_write(JSContext *ctx, JSValueConst v, size_t *n) {
  struct writer w = {.ctx = ctx, .replace = 1};
  int outcome = put_value(&w, v, 0);
  if (outcome == DONE && w.n > 0) { *n = w.n; return w.p; }
  js_free(ctx, w.p);
  if (outcome == FAILED) return NULL;
  JSValue text = JS_JSONStringify(ctx, v, JS_UNDEFINED, JS_UNDEFINED);
  if (JS_IsException(text)) return NULL;
  if (!JS_IsString(text)) { JS_ThrowTypeError(ctx, "it is nothing that JSON can say"); return NULL; }
  const char *s = JS_ToCStringLen(ctx, n, text);
  JS_FreeValue(ctx, text);
  if (!s) return NULL;
  uint8_t *p = js_malloc(ctx, *n);
  if (p) memcpy(p, s, *n);
  JS_FreeCString(ctx, s);
  return p;
}

// JSON.stringify
static JSValue js_fast_stringify(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  if (JS_IsUndefined(argv[1]) && JS_IsUndefined(argv[2])) {
    struct writer w = {.ctx = ctx};
    int outcome = put_value(&w, argv[0], 0);
    JSValue v = outcome == FAILED ? JS_EXCEPTION : outcome == DONE && w.n > 0 ? JS_NewStringLen(ctx, (char *)w.p, w.n) : JS_UNDEFINED;
    js_free(ctx, w.p);
    if (outcome != LEFT) return v;
  }
  return JS_JSONStringify(ctx, argv[0], argv[1], argv[2]);
}

// ---- reading

struct text { JSContext *ctx; const uint8_t *p, *end; };

static void skip_space(struct text *t) {
  while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\t' || *t->p == '\r')) t->p++;
}

// scan finds the end of a string that starts after its quote; NULL: it has escapes or is not a string.
// plain is whether it is ASCII.
static const uint8_t *scan(struct text *t, int *ascii) {
  unsigned all = 0;
  for (const uint8_t *p = t->p; p < t->end; p++) {
    if (*p == '"') { *ascii = all < 0x80; return p; }
    if (*p < 0x20 || *p == '\\') return NULL;
    all |= *p;
  }
  return NULL;
}

static int hex4(struct text *t, unsigned *c) {
  if (t->end - t->p < 4) return LEFT;
  *c = 0;
  for (int i = 0; i < 4; i++) {
    int digit = from_hex(*t->p++);
    if (digit < 0) return LEFT;
    *c = *c << 4 | digit;
  }
  return DONE;
}

// read_escaped reads a string with escapes.
static int read_escaped(struct text *t, JSValue *out) {
  StringBuffer b;
  if (string_buffer_init(t->ctx, &b, 64)) return FAILED;
  while (t->p < t->end && *t->p >= 0x20) {
    unsigned c = *t->p++;
    if (c == '"') {
      *out = string_buffer_end(&b);
      return JS_IsException(*out) ? FAILED : DONE;
    }
    if (c == '\\') {
      static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
      if (t->p == t->end) break;
      const char *named = (c = *t->p++) ? strchr(from, c) : NULL;
      if (named) c = (unsigned char)to[named - from];
      else if (c != 'u' || hex4(t, &c)) break;
      if (string_buffer_putc16(&b, c)) goto failed;
      continue;
    }
    if (c >= 0x80) {
      const uint8_t *next;
      c = utf8_decode_len(t->p - 1, t->end - (t->p - 1), &next);
      t->p = next;
    }
    if (string_buffer_putc(&b, c)) goto failed;
  }
  string_buffer_free(&b);
  return LEFT;
failed:
  string_buffer_free(&b);
  return FAILED;
}

static int read_string(struct text *t, JSValue *out) {
  int ascii;
  const uint8_t *end = scan(t, &ascii);
  if (!end) return read_escaped(t, out);
  *out = ascii ? js_new_string8_len(t->ctx, (const char *)t->p, end - t->p) : JS_NewStringLen(t->ctx, (const char *)t->p, end - t->p);
  t->p = end + 1;
  return JS_IsException(*out) ? FAILED : DONE;
}

static int read_name(struct text *t, JSAtom *out) {
  int ascii;
  const uint8_t *end = scan(t, &ascii);
  if (end && ascii) {
    *out = JS_NewAtomLen(t->ctx, (const char *)t->p, end - t->p);
    t->p = end + 1;
  } else {
    JSValue s;
    int outcome = read_string(t, &s);
    if (outcome) return outcome;
    *out = JS_ValueToAtom(t->ctx, s);
    JS_FreeValue(t->ctx, s);
  }
  return *out == JS_ATOM_NULL ? FAILED : DONE;
}

static int read_number(struct text *t, JSValue *out) {
  const uint8_t *p = t->p, *start = p;
  int whole = 1;
  if (p < t->end && *p == '-') p++;
  const uint8_t *first = p;
  while (p < t->end && is_digit(*p)) p++;
  if (p == first || (*first == '0' && p - first > 1)) return LEFT;
  const uint8_t *last = p;
  if (p < t->end && *p == '.') {
    const uint8_t *digits = ++p;
    while (p < t->end && is_digit(*p)) p++;
    if (p == digits) return LEFT;
    whole = 0;
  }
  if (p < t->end && (*p == 'e' || *p == 'E')) {
    if (++p < t->end && (*p == '+' || *p == '-')) p++;
    const uint8_t *digits = p;
    while (p < t->end && is_digit(*p)) p++;
    if (p == digits) return LEFT;
    whole = 0;
  }
  t->p = p;
  if (whole && last - first < 10 && !(*start == '-' && *first == '0')) {
    int32_t v = 0;
    for (p = first; p < last; p++) v = v * 10 + (*p - '0');
    *out = js_int32(*start == '-' ? -v : v);
    return DONE;
  }
  JSATODTempMem scratch;
  *out = js_float64(js_atod((const char *)start, NULL, 10, 0, &scratch));
  return DONE;
}

static int read_value(struct text *t, JSValue *out, int depth);

static int read_array(struct text *t, JSValue *out, int depth) {
  JSValue list = JS_NewArray(t->ctx), v;
  if (JS_IsException(list)) return FAILED;
  int outcome = LEFT;
  skip_space(t);
  if (t->p < t->end && *t->p == ']') { t->p++; *out = list; return DONE; }
  for (;;) {
    if ((outcome = read_value(t, &v, depth))) break;
    if (add_fast_array_element(t->ctx, JS_VALUE_GET_OBJ(list), v, JS_PROP_THROW) < 0) { outcome = FAILED; break; }
    skip_space(t);
    outcome = LEFT;
    if (t->p == t->end) break;
    if (*t->p++ == ']') { *out = list; return DONE; }
    if (t->p[-1] != ',') break;
  }
  JS_FreeValue(t->ctx, list);
  return outcome;
}

// add sets a property of an object that is being read; the last of two with a name wins.
static int add(JSContext *ctx, JSValueConst object, JSAtom name, JSValue v) {
  JSObject *p = JS_VALUE_GET_OBJ(object);
  if (find_own_property1(p, name)) return JS_DefinePropertyValue(ctx, object, name, v, JS_PROP_C_W_E) < 0 ? FAILED : DONE;
  JSProperty *property = add_property(ctx, p, name, JS_PROP_C_W_E);
  if (!property) { JS_FreeValue(ctx, v); return FAILED; }
  property->u.value = v;
  return DONE;
}

static int read_object(struct text *t, JSValue *out, int depth) {
  JSValue object = JS_NewObject(t->ctx), v;
  if (JS_IsException(object)) return FAILED;
  int outcome = LEFT;
  JSAtom name;
  skip_space(t);
  if (t->p < t->end && *t->p == '}') { t->p++; *out = object; return DONE; }
  for (;;) {
    skip_space(t);
    outcome = LEFT;
    if (t->p == t->end || *t->p++ != '"') break;
    if ((outcome = read_name(t, &name))) break;
    skip_space(t);
    outcome = LEFT;
    if (t->p == t->end || *t->p++ != ':' || (outcome = read_value(t, &v, depth))) { JS_FreeAtom(t->ctx, name); break; }
    outcome = add(t->ctx, object, name, v);
    JS_FreeAtom(t->ctx, name);
    if (outcome) break;
    skip_space(t);
    outcome = LEFT;
    if (t->p == t->end) break;
    if (*t->p++ == '}') { *out = object; return DONE; }
    if (t->p[-1] != ',') break;
  }
  JS_FreeValue(t->ctx, object);
  return outcome;
}

static int read_word(struct text *t, const char *word, JSValue v, JSValue *out) {
  size_t n = strlen(word);
  if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n)) return LEFT;
  t->p += n;
  *out = v;
  return DONE;
}

static int read_value(struct text *t, JSValue *out, int depth) {
  skip_space(t);
  if (t->p == t->end || depth > DEEPEST) return LEFT;
  switch (*t->p) {
  case '"': t->p++; return read_string(t, out);
  case '{': t->p++; return read_object(t, out, depth + 1);
  case '[': t->p++; return read_array(t, out, depth + 1);
  case 't': return read_word(t, "true", JS_TRUE, out);
  case 'f': return read_word(t, "false", JS_FALSE, out);
  case 'n': return read_word(t, "null", JS_NULL, out);
  }
  return read_number(t, out);
}

// p has a NUL at p[n].
JSValue json_read(JSContext *ctx, const char *p, size_t n) {
  struct text t = {ctx, (const uint8_t *)p, (const uint8_t *)p + n};
  JSValue v;
  int outcome = read_value(&t, &v, 0);
  if (outcome == FAILED) return JS_EXCEPTION;
  if (outcome == DONE) {
    skip_space(&t);
    if (t.p == t.end) return v;
    JS_FreeValue(ctx, v);
  }
  return JS_ParseJSON(ctx, p, n, "<input>");
}

// JSON.parse
static JSValue js_fast_parse(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  if (argc > 1 && JS_IsFunction(ctx, argv[1])) return js_json_parse(ctx, self, argc, argv);
  size_t n;
  const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
  if (!s) return JS_EXCEPTION;
  JSValue v = json_read(ctx, s, n);
  JS_FreeCString(ctx, s);
  return v;
}

void json_install(JSContext *ctx) {
  JSValue global = JS_GetGlobalObject(ctx), json = JS_GetPropertyStr(ctx, global, "JSON");
  JS_DefinePropertyValueStr(ctx, json, "stringify", JS_NewCFunction(ctx, js_fast_stringify, "stringify", 3), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_DefinePropertyValueStr(ctx, json, "parse", JS_NewCFunction(ctx, js_fast_parse, "parse", 2), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_FreeValue(ctx, json);
  JS_FreeValue(ctx, global);
}
