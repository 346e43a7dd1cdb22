// The line tables of compiled functions. Included by inside.c.

// at finds the mapping of a place in the bundle: the last one before it on the same line.
static const struct mapping *at(const struct mapping *map, uint32_t count, uint32_t line, uint32_t column) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct mapping *m = &map[middle];
    if (m->line < line || (m->line == line && m->column <= column)) low = middle + 1;
    else high = middle;
  }
  return low > 0 && map[low - 1].line == line ? &map[low - 1] : NULL;
}

// place is a row of a line table: from pc on, the code is from line and column.
struct place { uint32_t pc; int line, column; };

// decode reads a function's line table.
static int decode(const JSFunctionBytecode *b, struct place *out, int room) {
  const uint8_t *p = b->pc2line_buf, *end = p + b->pc2line_len;
  uint32_t pc = 0;
  int line = b->line_num, column = b->col_num, n = 0;
  while (p && p < end && n < room) {
    unsigned op = *p++;
    int32_t v;
    int size;
    if (op == 0) {
      uint32_t step;
      if ((size = get_leb128(&step, p, end)) < 0) break;
      p += size;
      pc += step;
      if ((size = get_sleb128(&v, p, end)) < 0) break;
      p += size;
      line += v;
    } else {
      op -= PC2LINE_OP_FIRST;
      pc += op / PC2LINE_RANGE;
      line += (int)(op % PC2LINE_RANGE) + PC2LINE_BASE;
    }
    if ((size = get_sleb128(&v, p, end)) < 0) break;
    p += size;
    column += v;
    out[n++] = (struct place){pc, line, column};
  }
  return n;
}

// encode writes a line table that starts at line and column.
static void encode(DynBuf *to, const struct place *rows, int n, int line, int column) {
  uint32_t pc = 0;
  for (int i = 0; i < n; i++) {
    int by = rows[i].line - line;
    uint32_t step = rows[i].pc - pc;
    if (by == 0 && rows[i].column == column) continue;
    if (by >= PC2LINE_BASE && by < PC2LINE_BASE + PC2LINE_RANGE && step <= PC2LINE_DIFF_PC_MAX) {
      dbuf_putc(to, by - PC2LINE_BASE + step * PC2LINE_RANGE + PC2LINE_OP_FIRST);
    } else {
      dbuf_putc(to, 0);
      dbuf_put_leb128(to, step);
      dbuf_put_sleb128(to, by);
    }
    dbuf_put_sleb128(to, rows[i].column - column);
    pc = rows[i].pc;
    line = rows[i].line;
    column = rows[i].column;
  }
}

// remap rewrites one function's table; 1: it has code of several files and was left as it is.
static int remap(JSContext *ctx, JSFunctionBytecode *b, const struct mapping *map, uint32_t count,
                 const char *const *files) {
  int room = b->pc2line_len, n, kept = 0, status = -1;
  struct place *rows = js_malloc(ctx, (room + 1) * sizeof *rows);
  if (!rows) return -1;
  n = decode(b, rows, room);
  const struct mapping *start = at(map, count, b->line_num, b->col_num), *first = start;
  for (int i = 0; i < n; i++) {
    const struct mapping *m = at(map, count, rows[i].line, rows[i].column);
    if (!m) continue;
    if (!first) first = m;
    if (m->file != first->file) { status = 1; goto done; }
    rows[kept++] = (struct place){rows[i].pc, m->source_line, m->source_column};
  }
  if (!first) { status = 1; goto done; }
  JSAtom name = JS_NewAtom(ctx, files[first->file]);
  if (name == JS_ATOM_NULL) goto done;
  DynBuf table;
  js_dbuf_init(ctx, &table);
  if (!start) start = first;
  b->line_num = start->source_line;
  b->col_num = start->source_column;
  if (!strncmp(files[first->file], "writ:", 5)) { // the SDK's own: its name is enough
    kept = 0;
    b->line_num = b->col_num = -1;
  }
  encode(&table, rows, kept, b->line_num, b->col_num);
  if (dbuf_error(&table)) { dbuf_free(&table); JS_FreeAtom(ctx, name); goto done; }
  JS_FreeAtom(ctx, b->filename);
  b->filename = name;
  js_free(ctx, b->pc2line_buf);
  b->pc2line_buf = table.buf;
  b->pc2line_len = table.size;
  status = 0;
done:
  js_free(ctx, rows);
  return status;
}

static int walk(JSContext *ctx, JSFunctionBytecode *b, const struct mapping *map, uint32_t count,
                const char *const *files) {
  if (remap(ctx, b, map, count, files) < 0) return -1;
  for (int i = 0; i < b->cpool_count; i++) {
    if (JS_VALUE_GET_TAG(b->cpool[i]) != JS_TAG_FUNCTION_BYTECODE) continue;
    if (walk(ctx, JS_VALUE_GET_PTR(b->cpool[i]), map, count, files) < 0) return -1;
  }
  return 0;
}

int lines_remap(JSContext *ctx, JSValueConst script, const struct mapping *map, uint32_t count,
                const char *const *files, uint32_t file_count) {
  for (uint32_t i = 0; i < count; i++)
    if (map[i].file >= file_count) {
      JS_ThrowInternalError(ctx, "line table names file %u of %u", map[i].file, file_count);
      return -1;
    }
  if (JS_VALUE_GET_TAG(script) != JS_TAG_FUNCTION_BYTECODE) return 0;
  return walk(ctx, JS_VALUE_GET_PTR(script), map, count, files);
}
