import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { renderImageSbom } from "../../../tools/image-sbom.ts";
import { npmComponent, renderSbom } from "../../../tools/sbom.ts";

describe("an image's bill of materials", () => {
  const directory = mkdtempSync(join(tmpdir(), "th-sbom-"));
  const ofProgram = join(directory, "sbom.cdx.json");
  const subject = npmComponent("application", "turbo-hipster", "1.0.0");
  writeFileSync(ofProgram, renderSbom(subject, [npmComponent("library", "zod", "4.0.0", "MIT")]));
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** Answers as buildah does, and notes which containers are left. */
  function makeBuildah(query: (args: readonly string[]) => string) {
    const containers = new Set<string>();
    const buildah = async (...args: string[]) => {
      // Else it would take an image of another processor for none.
      if (args[0] === "from") assert.ok(args.join(" ").includes("--arch arm64 "), args.join(" "));
      if (args[0] === "from") containers.add("a");
      if (args[0] === "rm") containers.delete(args[1] ?? "");
      if (args[0] === "run") return query(args);
      return args[0] === "from" ? "a\n" : "";
    };
    return { buildah, containers };
  }

  test("names the program, its packages, Node and Debian's packages", async () => {
    const { buildah, containers } = makeBuildah((args) => (args.includes("dpkg-query") ? "git 1:2.39.5 arm64\n" : "12.11\n"));
    const bom = JSON.parse(await renderImageSbom(buildah, "registry.example.org:5000/ci/turbo-hipster:1.2", ofProgram, "arm64"));
    assert.equal(
      bom.metadata.component.purl,
      "pkg:oci/turbo-hipster?arch=arm64&repository_url=registry.example.org%3A5000%2Fci%2Fturbo-hipster&tag=1.2",
    );
    const purls = bom.components.map(({ purl }: { purl: string }) => purl);
    assert.ok(purls.includes("pkg:deb/debian/git@1%3A2.39.5?arch=arm64&distro=debian-12.11"));
    assert.ok(purls.includes("pkg:npm/zod@4.0.0"));
    assert.ok(purls.includes(`pkg:generic/node@${process.versions.node}`));
    assert.ok(purls.some((purl: string) => purl.startsWith("pkg:npm/turbo-hipster@")));
    assert.equal(containers.size, 0);
  });

  test("leaves no container where the image cannot be asked", async () => {
    const { buildah, containers } = makeBuildah(() => {
      throw new Error("dpkg-query: not found");
    });
    await assert.rejects(renderImageSbom(buildah, "turbo-hipster:dev", ofProgram, "arm64"), /not found/);
    assert.equal(containers.size, 0);
  });
});
