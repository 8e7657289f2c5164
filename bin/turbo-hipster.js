#!/usr/bin/env node
// Plain JavaScript that every Node since 14.8 can read: says which Node is needed, or runs the program.
import { existsSync } from "node:fs";

const NEEDED = [24, 12];
const [major, minor] = process.versions.node.split(".").map(Number);

if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `turbo-hipster needs Node ${NEEDED.join(".")} or later, this is ${process.versions.node}; for example: npx -p node@24 turbo-hipster`,
  );
  process.exitCode = 1;
} else {
  // A checkout runs its sources, whatever was built there before; the published package has no sources.
  const sources = new URL("../src/main.ts", import.meta.url);
  await import(existsSync(sources) ? sources : new URL("../dist/main.js", import.meta.url));
}
