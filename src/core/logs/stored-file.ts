import { ARTIFACTS_FOLDER } from "./build-directory.ts";
import { INDEX_FILE } from "./log-files.ts";

/** How a browser gets a stored file. */
export interface StoredFileType {
  contentType: string;
  /** "attachment": it is saved, never shown. */
  disposition: "inline" | "attachment";
  /** Whoever keeps it asks each time whether it is still so: of what is replaced when a build is stored. Default: as who serves it likes. */
  cacheControl?: "no-cache";
}

const TEXT = "text/plain; charset=utf-8";

/** Our own files, by the end of their names. */
const OWN_TYPES: Record<string, string> = {
  log: TEXT,
  txt: TEXT,
  json: "application/json",
  html: "text/html; charset=utf-8",
};

/** What a test has uploaded and can't run as script, however it is made: as plain text, even where its type would be another. */
const SHOWN_AS_TEXT = new Set(
  `${"txt log out err md rst csv tsv ini cfg conf toml yaml yml xml diff patch subunit tap trace "}${"sql py sh c h cc cpp go rs java rb pl"}`.split(
    " ",
  ),
);
const SHOWN: Record<string, string> = {
  json: "application/json",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
};

/**
 * What a store says of the file of this path, in a bucket too, where no header forbids a browser to guess. Nothing that a test has uploaded is
 * ever HTML, SVG, XML or script to a browser: text stays text (https://mimesniff.spec.whatwg.org/ makes nothing else of `text/plain`), and
 * what is not known to be harmless is saved.
 */
export function storedFileType(path: string): StoredFileType {
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(path)?.[1]?.toLowerCase() ?? "";
  if (!isUploaded(path)) return ownFileType(path, extension);
  if (SHOWN_AS_TEXT.has(extension)) return { contentType: TEXT, disposition: "inline" };
  const shown = own(SHOWN, extension);
  return shown ? { contentType: shown, disposition: "inline" } : { contentType: "application/octet-stream", disposition: "attachment" };
}

function ownFileType(path: string, extension: string): StoredFileType {
  const isReplaced = path.split("/").at(-1) === INDEX_FILE;
  return {
    contentType: own(OWN_TYPES, extension) ?? "application/octet-stream",
    disposition: "inline",
    ...(isReplaced ? { cacheControl: "no-cache" } : {}),
  };
}

/** The headers of an answer with this file on an origin of ours. */
export function storedFileHeaders(path: string): Record<string, string> {
  const { contentType, disposition } = storedFileType(path);
  return {
    "content-type": contentType,
    "content-disposition": disposition,
    "x-content-type-options": "nosniff",
    // A document of its own origin, without scripts, forms, frames or requests.
    ...(isUploaded(path) ? { "content-security-policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'" } : {}),
  };
}

/** Whether the test has made it. */
export function isUploaded(path: string): boolean {
  return path.split("/").includes(ARTIFACTS_FOLDER);
}

function own(types: Record<string, string>, extension: string): string | undefined {
  return Object.hasOwn(types, extension) ? types[extension] : undefined;
}
