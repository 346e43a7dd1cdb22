// What fails, in words.
export class Check {
  readonly failures: string[] = [];
  count = 0;

  is(what: string, got: unknown, want: unknown): void {
    this.count++;
    const [a, b] = [show(got), show(want)];
    if (a !== b) this.failures.push(`${what}: got ${a}, want ${b}`);
  }
  throws(what: string, run: () => unknown, want: string): void {
    this.count++;
    try {
      this.failures.push(`${what}: got ${show(run())}, want an error with ${show(want)}`);
    } catch (error) {
      if (!String(error).includes(want)) this.failures.push(`${what}: got ${error}, want ${want}`);
    }
  }
  async rejects(what: string, promise: Promise<unknown>, want: string): Promise<void> {
    let error: unknown;
    await promise.catch((e) => { error = e; });
    this.throws(what, () => { if (error) throw error; }, want);
  }
}

const show = (v: unknown): string => (v instanceof Uint8Array ? `bytes ${[...v]}` : v === undefined ? "undefined" : JSON.stringify(v) ?? String(v));
