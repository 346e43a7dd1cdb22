// How references are counted. What a servlet has when its memory is captured lives as long as every call:
// its references are not counted. Included by quickjs.c.

// FOR_EVER is a count that is never changed but by the cycle collector, for a while, and by less than half.
enum { FOR_EVER = 1 << 30 };

static inline void js_rc_inc(void *p) {
  int *n = &JS_REF_COUNT(p);
  if (*n < FOR_EVER / 2) ++*n;
}

static inline int js_rc_dec(void *p) {
  int *n = &JS_REF_COUNT(p);
  return *n < FOR_EVER / 2 ? --*n : *n;
}
