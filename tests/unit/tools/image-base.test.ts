import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BASE_IMAGE } from "../../../tools/image-base.ts";

const ROOT = join(import.meta.dirname, "../../..");

test("the image is built on the very Node that the tests run on", () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const base = `docker.io/library/node:${devDependencies.node}-bookworm-slim`;
  assert.equal(BASE_IMAGE, base);
  assert.match(readFileSync(join(ROOT, "deploy/Dockerfile"), "utf8"), new RegExp(`^FROM ${base.replaceAll(".", "\\.")} AS base$`, "m"));
});
