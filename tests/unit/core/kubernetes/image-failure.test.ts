import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { imageFailure, imageOf, sayImage } from "../../../../src/core/kubernetes/image-failure.ts";
import { cleanResultText } from "../../../../src/core/zuul/clean-result-text.ts";

describe("an image is named whole, in words that Zuul can carry:", () => {
  const rows: [string, string][] = [
    ["python", "python"],
    ["python:3.12", "python tag 3.12"],
    ["docker.io/library/python:3.12", "python tag 3.12"],
    ["docker.io/org/tests:1", "docker.io/org/tests tag 1"],
    ["registry:5000/ci/tests:1", "ci/tests tag 1 at registry port 5000"],
    ["registry:5000/ci/tests", "ci/tests at registry port 5000"],
    ["ghcr.io/org/tests@sha256:0123456789abcdef0123", "ghcr.io/org/tests digest sha256 0123456789ab"],
    ["r:1/a:b@sha256:0123456789abcdef0123", "a tag b digest sha256 0123456789ab at r port 1"],
    ["mirror.org/docker.io/library/python:3", "mirror.org/docker.io/library/python tag 3"],
    ["what:is:this", "what:is:this"],
  ];
  for (const [reference, said] of rows) test(reference, () => assert.equal(sayImage(reference), said));

  test("nothing of that is cleaned away", () => {
    for (const [, said] of rows.slice(0, -1)) assert.equal(cleanResultText(said, "ascii"), said);
  });
});

describe("a pull that failed", () => {
  test("is of the image that CRI-O copies", () => {
    assert.equal(imageOf("initializing source docker://quay.io/ci/tests:1: pinging container registry quay.io: EOF"), "quay.io/ci/tests:1");
  });

  test("is of nothing that is there, as containerd's fetcher says (remotes/docker/fetcher.go)", () => {
    const message = "failed to copy: httpReadSeeker: failed open: content at https://r.example.org/v2/ci/a/manifests/sha256:01 not found: ";
    assert.equal(imageFailure(`${message}not found`), "not-found");
  });

  for (const passes of [
    "lookup r.example.org on 10.96.0.10:53: server misbehaving",
    "too many requests",
    "toomanyrequests",
    "TooManyRequests",
    "503 Service Unavailable",
    "500 Internal Server Error",
    "429 Too Many",
  ]) {
    test(`may be had later where one of several registries says ${passes}`, () => {
      assert.equal(imageFailure("r.example.org: manifest unknown, mirror: EOF"), "not-found");
      assert.equal(imageFailure(`r.example.org: manifest unknown, mirror: ${passes}`), undefined);
    });
  }

  test("is denied in words of Docker's, old or new", () => {
    for (const who of ["", "you "]) assert.equal(imageFailure(`repository does not exist or ${who}may not have access`), "denied");
  });
});
