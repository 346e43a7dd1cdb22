// Blob (w3c.github.io/FileAPI): bytes with a type. There are no streams.
import { contents } from "./body";
import { bytesOf, textOf } from "./encoding";

type Part = string | ArrayBuffer | ArrayBufferView | Blob;

function bytes(part: Part): Uint8Array {
  if (part instanceof Blob) return contents.get(part)!.bytes;
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  return ArrayBuffer.isView(part) ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength) : bytesOf(String(part));
}

export class Blob {
  readonly size: number;
  readonly type: string;

  constructor(parts: Iterable<Part> = [], options: { type?: string } = {}) {
    const pieces = Array.from(parts, bytes);
    const whole = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    const type = String(options.type ?? "");
    this.size = whole.length;
    this.type = /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : "";
    contents.set(this, { bytes: whole, type: this.type || null });
  }
  slice(start?: number, end?: number, type = ""): Blob {
    return new Blob([contents.get(this)!.bytes.slice(start, end)], { type });
  }
  async bytes(): Promise<Uint8Array<ArrayBuffer>> { return contents.get(this)!.bytes.slice() as Uint8Array<ArrayBuffer>; }
  async arrayBuffer(): Promise<ArrayBuffer> { return (await this.bytes()).buffer; }
  async text(): Promise<string> { return textOf(contents.get(this)!.bytes); }
}
