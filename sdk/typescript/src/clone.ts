// structuredClone (html.spec.whatwg.org, "structured data").

const refuse = (what: string): never => { throw new DOMException(`${what} cannot be cloned`, "DataCloneError"); };

/** errors are the constructors that a clone keeps; any other error becomes an Error. */
const errors: Record<string, ErrorConstructor> = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function copyBuffer(from: ArrayBuffer, seen: Map<object, unknown>): ArrayBuffer {
  const known = seen.get(from) as ArrayBuffer | undefined;
  const copy = known ?? from.slice(0);
  seen.set(from, copy);
  return copy;
}

function copyError(from: Error, seen: Map<object, unknown>): Error {
  const copy = new (errors[from.name] ?? Error)(from.message);
  seen.set(from, copy);
  Object.defineProperty(copy, "stack", { value: from.stack, writable: true, configurable: true });
  if ("cause" in from) Object.defineProperty(copy, "cause", { value: clone(from.cause, seen), writable: true, configurable: true });
  return copy;
}

function clone(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === "function" || typeof value === "symbol") return refuse(`a ${typeof value}`);
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const keep = <T>(copy: T): T => { seen.set(value, copy); return copy; };
  if (Array.isArray(value)) {
    const copy: unknown[] = keep(new Array(value.length));
    for (const key of Object.keys(value)) (copy as any)[key] = clone((value as any)[key], seen);
    return copy;
  }
  if (value instanceof Date) return keep(new Date(+value));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Error) return copyError(value, seen);
  if (value instanceof ArrayBuffer) return copyBuffer(value, seen);
  if (ArrayBuffer.isView(value)) {
    const buffer = copyBuffer(value.buffer as ArrayBuffer, seen);
    const length = value instanceof DataView ? value.byteLength : (value as Uint8Array).length;
    return keep(new (value.constructor as any)(buffer, value.byteOffset, length));
  }
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [k, v] of [...value]) copy.set(clone(k, seen), clone(v, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const v of [...value]) copy.add(clone(v, seen));
    return copy;
  }
  if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt) return keep(Object(value.valueOf()));
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) return refuse(`a ${value.constructor.name}`);
  const copy: Record<string, unknown> = keep({});
  for (const key of Object.keys(value)) copy[key] = clone((value as any)[key], seen);
  return copy;
}

export function structuredClone(value: unknown, options: { transfer?: unknown[] } = {}): unknown {
  if (options.transfer?.length) refuse("a transferred object");
  return clone(value, new Map());
}
