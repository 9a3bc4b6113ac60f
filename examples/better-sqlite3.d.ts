/** As much of better-sqlite3 as the examples use, for them to compile where it is not installed. */
declare module 'better-sqlite3' {
  interface Statement<Given extends readonly unknown[], Row> {
    run(...given: Given): { readonly changes: number };
    get(...given: Given): Row | undefined;
    /** Has `get` return the first column instead of a row. */
    pluck(): this;
  }

  class Database {
    constructor(path: string, options?: { readonly timeout?: number });
    pragma(source: string): unknown;
    exec(source: string): this;
    prepare<Given extends readonly unknown[], Row = unknown>(source: string): Statement<Given, Row>;
    transaction<Given extends readonly unknown[]>(
      body: (...given: Given) => void,
    ): (...given: Given) => void;
    close(): this;
  }

  export = Database;
}
