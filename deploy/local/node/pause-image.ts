import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { PAUSE_IMAGE } from "./cluster-programs.ts";

const BLOCK = 512;

/** Writes an image archive (docker's format, as `docker save` makes it) that holds one static program. */
export function writePauseImage(program: string, archive: string): void {
  const layer = makeTar([{ name: "pause", mode: 0o755, content: readFileSync(program) }]);
  const layerDigest = createHash("sha256").update(layer).digest("hex");
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: "linux",
      config: { Entrypoint: ["/pause"], User: "65535:65535" },
      rootfs: { type: "layers", diff_ids: [`sha256:${layerDigest}`] },
    }),
  );
  const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [PAUSE_IMAGE], Layers: [`${layerDigest}/layer.tar`] }]));
  writeFileSync(
    archive,
    makeTar([
      { name: configName, mode: 0o644, content: config },
      { name: `${layerDigest}/layer.tar`, mode: 0o644, content: layer },
      { name: "manifest.json", mode: 0o644, content: manifest },
    ]),
  );
}

/** A tar archive (ustar) of regular files that belong to root; the same input gives the same bytes. */
function makeTar(files: readonly { name: string; mode: number; content: Buffer }[]): Buffer {
  const parts = files.flatMap(({ name, mode, content }) => {
    const header = Buffer.alloc(BLOCK);
    header.write(name, 0);
    header.write(octal(mode, 7), 100);
    header.write(octal(0, 7), 108);
    header.write(octal(0, 7), 116);
    header.write(octal(content.length, 11), 124);
    header.write(octal(0, 11), 136);
    header.write("        ", 148);
    header.write("0", 156);
    header.write("ustar\0" + "00", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${octal(sum, 6)}\0 `, 148);
    return [header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
