// SHA-1 and SHA-2 (FIPS 180-4).

/** root is the first 64 bits behind the point of a number's square or cube root. */
function root(n: bigint, power: bigint): bigint {
  const of = n << 64n * power;
  let low = 0n, high = 1n << 80n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle ** power <= of) low = middle;
    else high = middle;
  }
  return low & 0xffffffffffffffffn;
}

const primes: bigint[] = [];
for (let n = 2n; primes.length < 80; n++) if (primes.every((p) => n % p)) primes.push(n);

/** words are 64-bit numbers as pairs of 32 bits, the high ones first. */
const words = (numbers: bigint[]): number[] => numbers.flatMap((n) => [Number(n >> 32n) | 0, Number(n & 0xffffffffn) | 0]);
const high = (pairs: number[]): number[] => pairs.filter((_, i) => i % 2 === 0);

const k512 = words(primes.map((p) => root(p, 3n)));
const k256 = high(k512);
const start512 = words(primes.slice(0, 8).map((p) => root(p, 2n)));
const start384 = words(primes.slice(8, 16).map((p) => root(p, 2n)));

const right = (x: number, n: number): number => x >>> n | x << 32 - n;

/** w is a block and has room for the words that are made of it; state is changed. */
type Compress = (w: Int32Array, state: Int32Array) => void;

function sha1(w: Int32Array, state: Int32Array): void {
  for (let i = 16; i < 80; i++) w[i] = right(w[i - 3]! ^ w[i - 8]! ^ w[i - 14]! ^ w[i - 16]!, 31);
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
  for (let i = 0; i < 80; i++) {
    const [f, k] = i < 20 ? [b & c | ~b & d, 0x5a827999] : i < 40 ? [b ^ c ^ d, 0x6ed9eba1] : i < 60 ? [b & c | b & d | c & d, 0x8f1bbcdc] : [b ^ c ^ d, 0xca62c1d6];
    [a, b, c, d, e] = [right(a, 27) + f + e + k + w[i]! | 0, a, right(b, 2), c, d];
  }
  [a, b, c, d, e].forEach((v, i) => { state[i]! += v; });
}

function sha256(w: Int32Array, state: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!, y = w[i - 2]!;
    w[i] = w[i - 16]! + (right(x, 7) ^ right(x, 18) ^ x >>> 3) + w[i - 7]! + (right(y, 17) ^ right(y, 19) ^ y >>> 10);
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!, e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const one = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + (e & f ^ ~e & g) + k256[i]! + w[i]! | 0;
    const two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
    h = g; g = f; f = e; e = d + one | 0;
    d = c; c = b; b = a; a = one + two | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((v, i) => { state[i]! += v; });
}

/** turned is the low half of a 64-bit number that is rotated to the right; with halves swapped, its high half. */
const turned = (h: number, l: number, n: number): number => (n < 32 ? l >>> n | h << 32 - n : h >>> n - 32 | l << 64 - n);

function sha512(w: Int32Array, state: Int32Array): void {
  let carried = 0;
  /** sum adds numbers below 2^32 and keeps what is above for the next sum. */
  const sum = (...of: number[]): number => {
    const total = of.reduce((s, v) => s + (v >>> 0), carried);
    carried = Math.floor(total / 0x100000000);
    return total | 0;
  };
  for (let i = 32; i < 160; i += 2) {
    const xh = w[i - 30]!, xl = w[i - 29]!, yh = w[i - 4]!, yl = w[i - 3]!;
    carried = 0;
    w[i + 1] = sum(w[i - 31]!, w[i - 13]!, turned(xh, xl, 1) ^ turned(xh, xl, 8) ^ (xl >>> 7 | xh << 25), turned(yh, yl, 19) ^ turned(yh, yl, 61) ^ (yl >>> 6 | yh << 26));
    w[i] = sum(w[i - 32]!, w[i - 14]!, turned(xl, xh, 1) ^ turned(xl, xh, 8) ^ xh >>> 7, turned(yl, yh, 19) ^ turned(yl, yh, 61) ^ yh >>> 6);
  }
  const s = Array.from(state);
  for (let i = 0; i < 160; i += 2) {
    const [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl] = s as [number, number, number, number, number, number, number, number, number, number, number, number, number, number, number, number];
    carried = 0;
    const oneLow = sum(hl, turned(eh, el, 14) ^ turned(eh, el, 18) ^ turned(eh, el, 41), el & fl ^ ~el & gl, k512[i + 1]!, w[i + 1]!);
    const oneHigh = sum(hh, turned(el, eh, 14) ^ turned(el, eh, 18) ^ turned(el, eh, 41), eh & fh ^ ~eh & gh, k512[i]!, w[i]!);
    carried = 0;
    const twoLow = sum(oneLow, turned(ah, al, 28) ^ turned(ah, al, 34) ^ turned(ah, al, 39), al & bl ^ al & cl ^ bl & cl);
    const twoHigh = sum(oneHigh, turned(al, ah, 28) ^ turned(al, ah, 34) ^ turned(al, ah, 39), ah & bh ^ ah & ch ^ bh & ch);
    carried = 0;
    const low = sum(dl, oneLow);
    s.splice(0, 16, twoHigh, twoLow, ah, al, bh, bl, ch, cl, sum(dh, oneHigh), low, eh, el, fh, fl, gh, gl);
  }
  for (let i = 14; i >= 0; i -= 2) {
    carried = 0;
    state[i + 1] = sum(state[i + 1]!, s[i + 1]!);
    state[i] = sum(state[i]!, s[i]!);
  }
}

/** Hash is a function of the family: the sizes are in bytes, rounds are the words of a block's schedule. */
export interface Hash { block: number; size: number; rounds: number; start: number[]; compress: Compress }

export const hashes: Record<string, Hash> = {
  "SHA-1": { block: 64, size: 20, rounds: 80, start: [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0], compress: sha1 },
  "SHA-256": { block: 64, size: 32, rounds: 64, start: high(start512), compress: sha256 },
  "SHA-384": { block: 128, size: 48, rounds: 160, start: start384, compress: sha512 },
  "SHA-512": { block: 128, size: 64, rounds: 160, start: start512, compress: sha512 },
};

/** digest hashes bytes. */
export function digest({ block, size, rounds, start, compress }: Hash, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = new DataView(new ArrayBuffer(Math.ceil((data.length + 1 + block / 8) / block) * block));
  new Uint8Array(padded.buffer).set(data);
  padded.setUint8(data.length, 0x80);
  padded.setUint32(padded.byteLength - 8, Math.floor(data.length / 0x20000000));
  padded.setUint32(padded.byteLength - 4, data.length << 3);
  const state = Int32Array.from(start), w = new Int32Array(rounds);
  for (let at = 0; at < padded.byteLength; at += block) {
    for (let i = 0; i < block / 4; i++) w[i] = padded.getInt32(at + i * 4);
    compress(w, state);
  }
  const out = new DataView(new ArrayBuffer(state.length * 4));
  state.forEach((v, i) => out.setInt32(i * 4, v));
  return new Uint8Array(out.buffer).slice(0, size);
}
