// TextEncoder and TextDecoder (encoding.spec.whatwg.org): UTF-8, UTF-16LE and the Western code pages.
import { native } from "./host";

export class TextEncoder {
  get encoding(): string { return "utf-8"; }
  encode(text = ""): Uint8Array<ArrayBuffer> { return new Uint8Array(native.encode(String(text).toWellFormed())); }
  encodeInto(text: string, into: Uint8Array): { read: number; written: number } {
    let read = 0, written = 0;
    for (const character of String(text).toWellFormed()) {
      const bytes = this.encode(character);
      if (written + bytes.length > into.length) break;
      into.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

/** What windows-1252 has at 0x80 to 0x9f; the rest of it is Unicode's first 256 characters. */
const western = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

const labels: Record<string, string> = {
  "utf-8": "utf-8", utf8: "utf-8", "unicode-1-1-utf-8": "utf-8", "x-unicode20utf8": "utf-8",
  "utf-16le": "utf-16le", "utf-16": "utf-16le", "ucs-2": "utf-16le", unicode: "utf-16le",
  "windows-1252": "windows-1252", "iso-8859-1": "windows-1252", latin1: "windows-1252", l1: "windows-1252",
  ascii: "windows-1252", "us-ascii": "windows-1252", cp1252: "windows-1252", "x-cp1252": "windows-1252", "iso8859-1": "windows-1252",
};

/** cut finds how many bytes at the end begin a UTF-8 character that is not complete. */
function cut(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

type Source = ArrayBuffer | ArrayBufferView;
const view = (from: Source): Uint8Array => (ArrayBuffer.isView(from) ? new Uint8Array(from.buffer, from.byteOffset, from.byteLength) : new Uint8Array(from));
/** utf8 is the text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD. */
export const utf8 = (bytes: Uint8Array): string => native.decode(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export class TextDecoder {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  #rest = new Uint8Array(0);
  #started = false;

  constructor(label = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    const encoding = labels[String(label).trim().toLowerCase()];
    if (!encoding) throw new RangeError(`the encoding "${label}" is not known: utf-8, utf-16le and windows-1252 are`);
    this.encoding = encoding;
    this.fatal = !!options.fatal;
    this.ignoreBOM = !!options.ignoreBOM;
  }

  decode(input?: Source, options: { stream?: boolean } = {}): string {
    let bytes = input ? view(input) : new Uint8Array(0);
    if (this.#rest.length) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    const keep = !options.stream ? 0 : this.encoding === "utf-8" ? cut(bytes) : this.encoding === "utf-16le" ? bytes.length & 1 : 0;
    this.#rest = bytes.slice(bytes.length - keep);
    let text = this.#decode(bytes.subarray(0, bytes.length - keep));
    if (!this.#started && text && !this.ignoreBOM && this.encoding !== "windows-1252" && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    this.#started = options.stream ? this.#started || text !== "" : false;
    return text;
  }

  #decode(bytes: Uint8Array): string {
    let text = "", valid = true;
    switch (this.encoding) {
      case "utf-8":
        text = utf8(bytes);
        valid = !this.fatal || !text.includes("\ufffd") || same(new TextEncoder().encode(text), bytes);
        break;
      case "utf-16le":
        for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i]! | bytes[i + 1]! << 8);
        valid = bytes.length % 2 === 0 && text.isWellFormed();
        text = text.toWellFormed() + (bytes.length % 2 ? "\ufffd" : "");
        break;
      default:
        for (const byte of bytes) text += byte >= 0x80 && byte < 0xa0 ? western[byte - 0x80] : String.fromCharCode(byte);
    }
    if (this.fatal && !valid) throw new TypeError(`the bytes are not ${this.encoding}`);
    return text;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

const encoder = new TextEncoder();
/** bytesOf is a text's UTF-8. */
export const bytesOf = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);
/** textOf is the text of UTF-8 bytes, without a byte order mark. */
export function textOf(bytes: Uint8Array): string {
  const text = utf8(bytes);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
