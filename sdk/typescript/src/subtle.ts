// crypto.subtle (w3c.github.io/webcrypto): digests and HMAC. A servlet that does not say "subtle" is without.
import { digest, hashes, type Hash } from "./sha";

type Source = ArrayBuffer | ArrayBufferView;
type Algorithm = string | { name: string; hash?: Algorithm };

const nameOf = (algorithm: Algorithm): string => String(typeof algorithm === "string" ? algorithm : algorithm?.name).toUpperCase();
const refuse = (what: string, why: string): never => { throw new DOMException(why, what); };

/** copy takes the bytes as they are now, and pads them to a length. */
function copy(from: Source, length = from.byteLength): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  bytes.set(ArrayBuffer.isView(from) ? new Uint8Array(from.buffer, from.byteOffset, from.byteLength) : new Uint8Array(from));
  return bytes;
}

function hashOf(algorithm: Algorithm | undefined): Hash & { name: string } {
  const name = nameOf(algorithm ?? "");
  const hash = Object.hasOwn(hashes, name) ? hashes[name] : undefined;
  return hash ? { ...hash, name } : refuse("NotSupportedError", `the digest ${name} is not known: ${Object.keys(hashes).join(", ")} are`);
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = copy(a, a.length + b.length);
  both.set(b, a.length);
  return both;
}

let secretOf: (key: CryptoKey) => Uint8Array;

export class CryptoKey {
  readonly type = "secret";
  readonly algorithm: { name: "HMAC"; hash: { name: string }; length: number };
  #secret: Uint8Array;
  static { secretOf = (key) => key.#secret; }
  constructor(secret: Uint8Array, hash: string, readonly extractable: boolean, readonly usages: readonly string[]) {
    this.#secret = secret;
    this.algorithm = { name: "HMAC", hash: { name: hash }, length: secret.length * 8 };
  }
}

/** hmac is RFC 2104. */
function hmac(algorithm: Algorithm, key: CryptoKey, usage: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  if (nameOf(algorithm) !== "HMAC") refuse("NotSupportedError", `${nameOf(algorithm)} is not known: HMAC is`);
  if (!(key instanceof CryptoKey) || !key.usages.includes(usage)) refuse("InvalidAccessError", `the key is not for "${usage}"`);
  const hash = hashOf(key.algorithm.hash), secret = secretOf(key);
  const padded = copy(secret.length > hash.block ? digest(hash, secret) : secret, hash.block);
  return digest(hash, join(padded.map((byte) => byte ^ 0x5c), digest(hash, join(padded.map((byte) => byte ^ 0x36), data))));
}

export const subtle = {
  async digest(algorithm: Algorithm, data: Source): Promise<ArrayBuffer> { return digest(hashOf(algorithm), copy(data)).buffer; },

  async importKey(format: string, secret: Source, algorithm: Algorithm, extractable: boolean, usages: readonly string[]): Promise<CryptoKey> {
    if (format !== "raw" || nameOf(algorithm) !== "HMAC") return refuse("NotSupportedError", `keys are imported as "raw" for HMAC, not as "${format}" for ${nameOf(algorithm)}`);
    if (!secret.byteLength || !usages.length || usages.some((u) => u !== "sign" && u !== "verify")) return refuse("SyntaxError", 'an HMAC key has bytes, and is for "sign" or "verify"');
    return new CryptoKey(copy(secret), hashOf((algorithm as { hash?: Algorithm }).hash).name, !!extractable, [...usages]);
  },
  async sign(algorithm: Algorithm, key: CryptoKey, data: Source): Promise<ArrayBuffer> { return hmac(algorithm, key, "sign", copy(data)).buffer; },

  async verify(algorithm: Algorithm, key: CryptoKey, signature: Source, data: Source): Promise<boolean> {
    const want = hmac(algorithm, key, "verify", copy(data)), got = copy(signature);
    // The time says nothing of where the two differ.
    return want.reduce((differ, byte, i) => differ | byte ^ got[i]!, got.length ^ want.length) === 0;
  },
};
