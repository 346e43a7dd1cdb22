/**
 * Running code that the servlet is given, in the engine that it runs in itself: the code can do what the
 * servlet can, and no more, and what it changes is gone after the call. A servlet that requests nothing can
 * be given any code.
 */

/**
 * Runs a script, which may use await at its top level, and gives the value of its last expression; a promise
 * is waited for. What it throws is thrown, a SyntaxError too; stacks call the code by its name. Names of the
 * web (URL, setTimeout, ...) are there for it if the servlet's own source mentions them.
 */
export declare function evaluate(code: string, name?: string): Promise<unknown>;

/** Waits until no timer and no request is left, as a program does at its end. */
export declare function idle(): Promise<void>;

/** Shows a value as console.log does, to a depth of 3. */
export declare function inspect(value: unknown, depth?: number): string;

/** Makes one text of values, as console.log does: %s, %d, %i, %f, %j, %o, %O and %c in the first. */
export declare function format(...values: unknown[]): string;

/**
 * Gives what is written to the console from now on to a function instead of the operator's log: level 0 is
 * debug, 1 info, 2 warn, 3 error.
 */
export declare function capture(to: (level: number, text: string) => void): void;
