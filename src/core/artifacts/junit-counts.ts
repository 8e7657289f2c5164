import { cutText } from "../logs/cut-text.ts";
import type { JunitFailure, JunitRecord } from "./artifacts-record.ts";

/** Of all files of a build together. */
const MAX_FAILED = 100;
const MAX_UNREAD = 20;
const MAX_NAME = 300;
const MAX_MESSAGE = 2000;
/** Of seconds: more than any test may run. */
const MAX_SECONDS = 1e9;

/** What all junit files of a build say together. */
export class JunitCounts {
  readonly #record: JunitRecord = { tests: 0, failures: 0, errors: 0, skipped: 0, seconds: 0, failed: [], unread: [] };
  #files = 0;

  /** undefined where there was no file. */
  get record(): JunitRecord | undefined {
    return this.#files === 0 ? undefined : this.#record;
  }

  add(read: JunitFileCounts): void {
    this.#files += 1;
    const { tests, failures, errors, skipped, seconds, failed } = read;
    const record = this.#record;
    record.tests += tests;
    record.failures += failures;
    record.errors += errors;
    record.skipped += skipped;
    record.seconds = Math.min(record.seconds + seconds, MAX_SECONDS);
    record.failed.push(...failed.slice(0, MAX_FAILED - record.failed.length));
  }

  addUnread(file: string, why: string): void {
    this.#files += 1;
    if (this.#record.unread.length < MAX_UNREAD) this.#record.unread.push({ file, why: beginning(why, MAX_NAME) });
  }
}

interface OpenCase {
  name: string;
  /** Of its element. */
  depth: number;
  kind: "failure" | "error" | "skipped" | undefined;
  message: string;
}

/**
 * Counts the elements of one junit file as they come: every `testcase`, and what it holds. What the suites say of their own counts is not
 * believed; writers of such files differ on it. A testcase counts once, as the worst thing that it holds.
 */
export class JunitFileCounts {
  readonly file: string;
  tests = 0;
  failures = 0;
  errors = 0;
  skipped = 0;
  seconds = 0;
  readonly failed: JunitFailure[] = [];
  /** Whether it has the root that such files have. */
  isJunit = false;
  #depth = 0;
  #case: OpenCase | undefined;
  #isInMessage = false;

  constructor(file: string) {
    this.file = file;
  }

  open(element: string, attributes: Readonly<Record<string, string>>): void {
    this.#depth += 1;
    if (this.#depth === 1) this.isJunit = element === "testsuites" || element === "testsuite";
    if (element === "testcase" && !this.#case) this.#openCase(attributes);
    const current = this.#case;
    if (!current || this.#depth !== current.depth + 1) return;
    if (element === "skipped") current.kind ??= "skipped";
    if (element !== "failure" && element !== "error") return;
    const isWorse = current.kind === undefined || current.kind === "skipped" || (current.kind === "failure" && element === "error");
    if (!isWorse) return;
    current.kind = element;
    current.message = beginning(attributes.message ?? "", MAX_MESSAGE);
    this.#isInMessage = true;
  }

  text(text: string): void {
    const current = this.#case;
    if (!current || !this.#isInMessage || current.message.length >= MAX_MESSAGE) return;
    const joined = current.message === "" ? text.trimStart() : `${current.message}\n${text}`;
    current.message = beginning(joined, MAX_MESSAGE);
  }

  close(): void {
    const current = this.#case;
    if (current && this.#depth === current.depth + 1) this.#isInMessage = false;
    if (current && this.#depth === current.depth) this.#closeCase(current);
    this.#depth -= 1;
  }

  #openCase({ classname, name, time }: Readonly<Record<string, string>>): void {
    this.tests += 1;
    const seconds = Number.parseFloat(time ?? "");
    if (seconds > 0) this.seconds = Math.min(this.seconds + seconds, MAX_SECONDS);
    const full = [classname, name].filter((part) => part !== undefined && part !== "").join(".");
    this.#case = { name: beginning(full, MAX_NAME), depth: this.#depth, kind: undefined, message: "" };
  }

  #closeCase({ name, kind, message }: OpenCase): void {
    this.#case = undefined;
    if (kind === undefined) return;
    if (kind === "skipped") {
      this.skipped += 1;
      return;
    }
    if (kind === "failure") this.failures += 1;
    else this.errors += 1;
    if (this.failed.length < MAX_FAILED) this.failed.push({ file: this.file, name, kind, message: message.trimEnd() });
  }
}

/** A text of its own: what `slice` gives keeps all that it was cut from in memory, here up to a whole file. */
function beginning(text: string, most: number): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(cutText(text, most)));
}
