/**
 * Stands in for `node:test` while mutations are tried: it keeps what test files register, so that one process runs it again for each of them.
 * Knows what the unit tests of core and controllers use. https://nodejs.org/api/test.html
 */
import type { TestContext } from "node:test";

type Body = (context: TestContext) => unknown;
type Options = { skip?: unknown };

/** What a test file has registered at its top level; the body of a describe is run anew with each run. */
export interface Unit {
  file: string;
  name: string;
  run(): Promise<void>;
}

interface Group {
  children: { name: string; run(): Promise<void> }[];
  before: (() => unknown)[];
  after: (() => unknown)[];
}

const { mock } = process.getBuiltinModule("node:test");

const makeGroup = (): Group => ({ children: [], before: [], after: [] });
let group = makeGroup();

/** Loads a test file with `load` and returns what it registers. */
export async function collectUnits(file: string, load: () => Promise<unknown>): Promise<Unit[]> {
  const own = makeGroup();
  group = own;
  await load();
  return own.children.map((child) => ({ file, name: child.name, run: () => runGroup({ ...own, children: [child] }) }));
}

async function runGroup({ children, before, after }: Group): Promise<void> {
  for (const hook of before) await hook();
  try {
    for (const child of children) await child.run();
  } finally {
    for (const hook of after) await hook();
  }
}

export function describe(name: string, ...rest: [() => unknown] | [Options, () => unknown]): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (options.skip) return;
  group.children.push({
    name,
    run: async () => {
      const own = makeGroup();
      group = own;
      await body();
      await runGroup(own);
    },
  });
}

export function test(name: string, ...rest: [Body] | [Options, Body]): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (options.skip) return;
  const context = { name, diagnostic() {}, mock } as unknown as TestContext;
  group.children.push({
    name,
    run: async () => {
      try {
        await body(context);
      } finally {
        mock.restoreAll();
      }
    },
  });
}

export const it = test;
export default test;

export function before(hook: () => unknown): void {
  group.before.push(hook);
}

export function after(hook: () => unknown): void {
  group.after.push(hook);
}
