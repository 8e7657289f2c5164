import assert from "node:assert/strict";
import { test } from "node:test";
import { architectureOf, nodeNameOf, parsePlatforms } from "../../../tools/platforms.ts";

test("platforms are given as docker buildx has them, in any order", () => {
  assert.deepEqual(parsePlatforms("linux/arm64"), ["arm64"]);
  assert.deepEqual(parsePlatforms("linux/arm64,linux/amd64"), ["arm64", "amd64"]);
});

test("a platform that no image is made for is refused, with those that there are", () => {
  for (const list of [
    "",
    "arm64",
    "linux/arm64/v8",
    "linux/s390x",
    "windows/amd64",
    "linux/amd64,",
    "linux/amd64, linux/arm64",
    "linux/x64",
  ])
    assert.throws(() => parsePlatforms(list), /^InputError: --platform: ".*" is none of linux\/amd64, linux\/arm64$/, list);
});

test("a platform that is named twice is refused: an index has one image for each", () => {
  assert.throws(() => parsePlatforms("linux/arm64,linux/amd64,linux/arm64"), /names one twice/);
});

test("Node's name of a processor, which npm's packages of it bear, is led there and back", () => {
  assert.equal(architectureOf("x64"), "amd64");
  assert.equal(architectureOf("arm64"), "arm64");
  assert.equal(nodeNameOf("amd64"), "x64");
  assert.equal(nodeNameOf("arm64"), "arm64");
});

test("on a machine of another processor the images' ones are named", () => {
  assert.throws(() => architectureOf("ppc64"), /images are made for linux\/amd64 and linux\/arm64; this Node is one for ppc64/);
});
