// The host of a URL (url.spec.whatwg.org, "host parsing"): names, IPv4 and IPv6 addresses.
import { bytesOf, textOf } from "./encoding";

/** null is a host that no URL may have. */
type Host = string | null;

export function percentDecode(text: string): Uint8Array {
  const bytes = bytesOf(text);
  const out = new Uint8Array(bytes.length);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    const digits = bytes[i] === 0x25 ? String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0) : "";
    if (/^[0-9a-f]{2}$/i.test(digits)) {
      out[n++] = parseInt(digits, 16);
      i += 2;
    } else {
      out[n++] = bytes[i]!;
    }
  }
  return out.subarray(0, n);
}

/** punycode encodes one label (RFC 3492). */
function punycode(label: string): string {
  const points = Array.from(label, (c) => c.codePointAt(0)!);
  let out = points.filter((c) => c < 128).map((c) => String.fromCharCode(c)).join("");
  const plain = out.length;
  let handled = plain, n = 128, delta = 0, bias = 72;
  if (plain) out += "-";
  const digit = (d: number) => String.fromCharCode(d < 26 ? 97 + d : 22 + d);
  while (handled < points.length) {
    const next = Math.min(...points.filter((c) => c >= n));
    delta += (next - n) * (handled + 1);
    n = next;
    for (const c of points) {
      if (c < n) delta++;
      if (c !== n) continue;
      let q = delta;
      for (let k = 36; ; k += 36) {
        const t = Math.min(Math.max(k - bias, 1), 26);
        if (q < t) break;
        out += digit(t + (q - t) % (36 - t));
        q = Math.floor((q - t) / (36 - t));
      }
      out += digit(q);
      delta = Math.floor(handled === plain ? delta / 700 : delta / 2);
      delta += Math.floor(delta / (handled + 1));
      let k = 0;
      for (; delta > 455; k += 36) delta = Math.floor(delta / 35);
      bias = k + Math.floor(36 * delta / (delta + 38));
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return "xn--" + out;
}

/** toASCII is what UTS #46 makes of a name, with the engine's own tables for folding. */
function toASCII(name: string): Host {
  if (/^[\x21-\x7e]*$/.test(name) && !/xn--/i.test(name)) return name.toLowerCase();
  const folded = name.replace(/[\u00ad\u200b\u2060\ufeff\ufe00-\ufe0f]/g, "").normalize("NFKC").toLowerCase().normalize("NFC").replace(/[\u3002\uff0e\uff61]/g, ".");
  const labels = folded.split(".");
  for (const label of labels) if (/^\p{M}/u.test(label) || label === "xn--" || /[\u200c\u200d\ufffd\p{Cs}\p{Cn}\p{Co}\p{Zs}]/u.test(label)) return null;
  return labels.map((label) => (/^[\0-\x7f]*$/.test(label) ? label : punycode(label))).join(".");
}

/** part reads one number of an IPv4 address: decimal, octal or hexadecimal. */
function part(text: string): number {
  if (text === "") return NaN;
  if (/^0x[0-9a-f]*$/i.test(text)) return text.length === 2 ? 0 : parseInt(text, 16);
  if (/^0[0-7]*$/.test(text)) return parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? parseInt(text, 10) : NaN;
}

function ipv4(name: string): Host {
  const parts = name.split(".");
  if (parts.length > 1 && parts.at(-1) === "") parts.pop();
  if (parts.length > 4) return null;
  const numbers = parts.map(part);
  if (numbers.some(Number.isNaN) || numbers.slice(0, -1).some((n) => n > 255)) return null;
  const last = numbers.pop()!;
  if (last >= 256 ** (4 - numbers.length)) return null;
  const address = numbers.reduce((sum, n, i) => sum + n * 256 ** (3 - i), last);
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

function endsInNumber(name: string): boolean {
  const parts = name.split(".");
  if (parts.at(-1) === "" && parts.length > 1) parts.pop();
  const last = parts.at(-1)!;
  return /^[0-9]+$/.test(last) || /^0x[0-9a-f]*$/i.test(last);
}

function ipv6(text: string): Host {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const pieces = (half: string): number[] | null => {
    if (half === "") return [];
    const out: number[] = [], parts = half.split(":");
    for (const [i, one] of parts.entries()) {
      if (one.includes(".")) {
        const four = one.split(".");
        if (i !== parts.length - 1 || four.length !== 4 || !four.every((n) => /^(0|[1-9][0-9]{0,2})$/.test(n) && Number(n) < 256)) return null;
        out.push(Number(four[0]) << 8 | Number(four[1]), Number(four[2]) << 8 | Number(four[3]));
      } else if (/^[0-9a-f]{1,4}$/i.test(one)) {
        out.push(parseInt(one, 16));
      } else {
        return null;
      }
    }
    return out;
  };
  const [head, tail] = [pieces(halves[0]!), halves.length === 2 ? pieces(halves[1]!) : []];
  if (!head || !tail) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  return `[${compress([...head, ...new Array<number>(missing).fill(0), ...tail])}]`;
}

/** compress writes an IPv6 address, its longest run of zeros left out. */
function compress(pieces: number[]): string {
  let best = -1, length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && pieces[i + run] === 0) run++;
    if (run > length) [best, length] = [i, run];
  }
  const hex = (list: number[]) => list.map((n) => n.toString(16)).join(":");
  return best < 0 ? hex(pieces) : `${hex(pieces.slice(0, best))}::${hex(pieces.slice(best + length))}`;
}

const forbidden = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const forbiddenDomain = /[\0-\x20#%/:<>?@[\\\]^|\x7f]/;

/** parseHost reads the host of a URL with a scheme that the web knows, or of any other (opaque). */
export function parseHost(text: string, opaque: boolean, encode: (text: string) => string): Host {
  if (text.startsWith("[")) return text.endsWith("]") ? ipv6(text.slice(1, -1)) : null;
  if (opaque) return forbidden.test(text) ? null : encode(text);
  const name = toASCII(textOf(percentDecode(text)));
  if (!name || forbiddenDomain.test(name)) return null;
  return endsInNumber(name) ? ipv4(name) : name;
}
