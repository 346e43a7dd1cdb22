// The objects that can be the body of a request besides texts and bytes.

/** contents has what is in them. */
export const contents = new WeakMap<object, { bytes: Uint8Array; type: string | null }>();
