import { SaxesParser } from "saxes";
import { JunitFileCounts } from "../core/artifacts/junit-counts.ts";

/** A longer one is stored and not counted: of one text in it all may be held. */
export const MAX_JUNIT_BYTES = 16 * 2 ** 20;
const MAX_DEPTH = 100;

class Unread extends Error {}

/**
 * Reads one junit file as its bytes pass by. Entities are the five that XML has: a document type, where others would be declared, is refused.
 * Nothing that it holds fails an upload: `finish` says why it could not be counted.
 */
export class JunitReader {
  readonly #counts: JunitFileCounts;
  readonly #parser = new SaxesParser({ position: false });
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #bytes = 0;
  #depth = 0;
  #why: string | undefined;

  constructor(file: string) {
    const counts = new JunitFileCounts(file);
    this.#counts = counts;
    this.#parser.on("error", (error) => {
      throw new Unread(`no XML: ${error.message}`);
    });
    this.#parser.on("doctype", () => {
      throw new Unread("it has a document type");
    });
    this.#parser.on("opentag", ({ name, attributes }) => {
      this.#depth += 1;
      if (this.#depth > MAX_DEPTH) throw new Unread(`deeper than ${MAX_DEPTH} elements`);
      counts.open(name, attributes as Record<string, string>);
    });
    this.#parser.on("text", (text) => counts.text(text));
    this.#parser.on("cdata", (text) => counts.text(text));
    this.#parser.on("closetag", () => {
      this.#depth -= 1;
      counts.close();
    });
  }

  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_JUNIT_BYTES) this.#why ??= `larger than ${MAX_JUNIT_BYTES / 2 ** 20} MiB`;
    this.#try(() => this.#parser.write(this.#decoder.decode(bytes, { stream: true })));
  }

  finish(): { counts: JunitFileCounts } | { why: string } {
    this.#try(() => this.#parser.write(this.#decoder.decode()).close());
    if (this.#why !== undefined) return { why: this.#why };
    return this.#counts.isJunit ? { counts: this.#counts } : { why: "its root is neither testsuites nor testsuite" };
  }

  #try(read: () => void): void {
    if (this.#why !== undefined) return;
    try {
      read();
    } catch (error) {
      this.#why = error instanceof Unread ? error.message : "it is not UTF-8";
    }
  }
}
