// What is done to the insides of QuickJS before its memory is captured, so that a call writes to few pages
// of it: each of those is restored before the next call. Included by inside.c.

// mark_names marks the names that a function's code has as operands. Numbers are none.
static void mark_names(uint8_t *names, const JSFunctionBytecode *b) {
  for (int at = 0; at < b->byte_code_len; at += short_opcode_info(b->byte_code_buf[at]).size) {
    JSAtom name;
    switch (short_opcode_info(b->byte_code_buf[at]).fmt) {
    case OP_FMT_atom: case OP_FMT_atom_u8: case OP_FMT_atom_u16: case OP_FMT_atom_label_u8: case OP_FMT_atom_label_u16:
      name = get_u32(b->byte_code_buf + at + 1);
      if (!__JS_AtomIsTaggedInt(name)) names[name] = 1;
    default: break;
    }
  }
}

// is_made tells whether a built-in property that QuickJS makes when it is first asked for is made now:
// scripts name it, or the language asks for it.
static int is_made(JSRuntime *rt, const uint8_t *names, JSAtom name) {
  if (__JS_AtomIsTaggedInt(name) || name == JS_ATOM_prototype) return 0;
  return names[name] || rt->atom_array[name]->atom_type == JS_ATOM_TYPE_SYMBOL || name == JS_ATOM_next || name == JS_ATOM_then || name == JS_ATOM_toString;
}

void engine_settle(JSContext *ctx) {
  JSRuntime *rt = ctx->rt;
  struct list_head *at;
  uint8_t *names = calloc(rt->atom_size, 1);
  if (!names) return; // calls are slower then, nothing else
  uint32_t size = rt->atom_size;
  list_for_each(at, &rt->gc_obj_list) {
    JSGCObjectHeader *p = list_entry(at, JSGCObjectHeader, link);
    if (JS_GC_TYPE(p) == JS_GC_OBJ_TYPE_FUNCTION_BYTECODE) mark_names(names, (JSFunctionBytecode *)p);
  }
  list_for_each(at, &rt->gc_obj_list) {
    JSObject *p = (JSObject *)list_entry(at, JSGCObjectHeader, link);
    if (JS_GC_TYPE(p) != JS_GC_OBJ_TYPE_JS_OBJECT) continue;
    for (int i = 0; i < p->shape->prop_count; i++) {
      JSShapeProperty *s = &get_shape_prop(p->shape)[i];
      if ((s->flags & JS_PROP_TMASK) != JS_PROP_AUTOINIT || s->atom >= size || !is_made(rt, names, s->atom)) continue;
      if (JS_AutoInitProperty(ctx, p, s->atom, &p->prop[i], s)) JS_FreeValue(ctx, JS_GetException(ctx));
    }
  }
  memset(names, 0, size);
  free(names);
}

// keep_for_ever ends the counting of references to what there is.
static void keep_for_ever(JSRuntime *rt) {
  struct list_head *at;
  for (int i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++)
    list_for_each(at, &rt->arena_state.arena_list[i]) {
      JSArena *arena = list_entry(at, JSArena, link);
      for (int k = 0; k < arena->n_blocks; k++)
        ((JSMallocBlockHeader *)(arena->blocks + k * arena_block_sizes[arena->block_size_idx]))->ref_count = FOR_EVER;
    }
  list_for_each(at, &rt->gc_obj_list) JS_REF_COUNT(list_entry(at, JSGCObjectHeader, link)) = FOR_EVER; // the large ones too
}

// set_aside makes a list empty: what is added to it is not linked with what was in it.
static void set_aside(struct list_head *list, struct list_head *to) {
  init_list_head(to);
  if (list_empty(list)) return;
  *to = *list;
  to->next->prev = to->prev->next = to;
  init_list_head(list);
}

// From now on small blocks come from arenas that nothing is in yet. Objects that are there already are no
// business of the cycle collector any more: to it they are roots.
void memory_seal(JSRuntime *rt) {
  static struct list_head objects, arenas[JS_ARENA_BLOCK_SIZE_COUNT];
  keep_for_ever(rt);
  set_aside(&rt->gc_obj_list, &objects);
  for (int i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
    struct list_head *at, *next;
    list_for_each_safe(at, next, &rt->arena_state.free_arena_list[i]) init_list_head(at);
    init_list_head(&rt->arena_state.free_arena_list[i]);
    set_aside(&rt->arena_state.arena_list[i], &arenas[i]);
  }
  nested_seal();
}
