import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

export interface Asset {
  /** `pages.HASH.css`: other content has another name, so that it may be kept for ever. */
  name: string;
  contentType: string;
  body: string;
}

const FILES = {
  stylesheet: ["pages", "css", "text/css"],
  script: ["pages", "js", "text/javascript"],
  icon: ["icon", "svg", "image/svg+xml"],
} as const;

export type AssetRole = keyof typeof FILES;

/** What pages need beside them: one stylesheet, one script, one picture. They are no part of any other origin. */
export function loadAssets(): Record<AssetRole, Asset> {
  const load = ([name, extension, type]: (typeof FILES)[AssetRole]): Asset => {
    const body = readFileSync(new URL(`assets/${name}.${extension}`, import.meta.url), "utf8");
    const hash = createHash("sha256").update(body).digest("hex").slice(0, 12);
    return { name: `${name}.${hash}.${extension}`, contentType: `${type}; charset=utf-8`, body };
  };
  return { stylesheet: load(FILES.stylesheet), script: load(FILES.script), icon: load(FILES.icon) };
}
