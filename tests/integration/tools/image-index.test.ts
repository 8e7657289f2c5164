import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writeIndexArchive } from "../../../tools/image-index.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../../support/progress.ts";

const OCI = "application/vnd.oci.image";
const REFERENCE = "registry.example.org/ci/turbo-hipster:1.2.3";

describe("the images of two processors in one archive", () => {
  const directory = mkdtempSync(join(tmpdir(), "th-image-index-"));
  const both = join(directory, "both.tar");

  before(async () => {
    await ensureDebianPackages(["buildah", "skopeo"], tellProgress);
    const archives = [await makeArchive("amd64"), await makeArchive("arm64")];
    await writeIndexArchive(archives, REFERENCE, both);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** An image with one small file, as https://github.com/opencontainers/image-spec/blob/main/image-layout.md has it. */
  async function makeArchive(architecture: string): Promise<string> {
    const layout = join(directory, architecture);
    const put = (content: string | Buffer, mediaType: string) => {
      const digest = createHash("sha256").update(content).digest("hex");
      writeFileSync(join(layout, "blobs/sha256", digest), content);
      return { mediaType, digest: `sha256:${digest}`, size: content.length };
    };
    mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
    writeFileSync(join(layout, "file"), architecture);
    const layer = put(await runCommand("tar", ["--directory", layout, "--create", "--file", "-", "file"]), `${OCI}.layer.v1.tar`);
    const content = { architecture, os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [layer.digest] } };
    const config = put(JSON.stringify(content), `${OCI}.config.v1+json`);
    const mediaType = `${OCI}.manifest.v1+json`;
    const manifest = put(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }), mediaType);
    const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": REFERENCE } };
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const archive = `${layout}.tar`;
    await runCommand("tar", ["--directory", layout, "--create", "--file", archive, "blobs", "index.json", "oci-layout"]);
    return archive;
  }

  test("have one name, which tells each processor its own", async () => {
    const { manifests } = JSON.parse(await runCommand("tar", ["--extract", "--to-stdout", "--file", both, "index.json"]));
    assert.deepEqual(
      manifests.map(({ annotations }: { annotations: object }) => annotations),
      [{ "org.opencontainers.image.ref.name": REFERENCE }],
    );
    const index = JSON.parse(await runCommand("skopeo", ["inspect", "--raw", `oci-archive:${both}`]));
    assert.equal(index.mediaType, `${OCI}.index.v1+json`);
    const platforms = index.manifests.map(({ platform }: { platform: { os: string; architecture: string } }) => platform);
    assert.deepEqual(platforms, [
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
  });

  test("are copied whole, or the one of a processor alone", async () => {
    const copied = join(directory, "copied");
    await runCommand("skopeo", ["copy", "--all", "--quiet", `oci-archive:${both}`, `oci:${copied}:1`]);
    for (const architecture of ["amd64", "arm64"]) {
      const alone = join(directory, `alone-${architecture}`);
      await runCommand("skopeo", ["copy", "--quiet", "--override-arch", architecture, `oci:${copied}:1`, `dir:${alone}`]);
      const config = JSON.parse(await runCommand("skopeo", ["inspect", "--config", `dir:${alone}`]));
      assert.equal(config.architecture, architecture);
    }
  });

  test("leave nothing beside them", () => {
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.includes("unfinished")),
      [],
    );
  });
});
