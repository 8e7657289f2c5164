import type { ArtifactsRecord, JunitRecord } from "../../core/artifacts/artifacts-record.ts";
import { sayBytes } from "../words.ts";
import { type Markup, markup } from "./markup.ts";

/** What a build has kept beside its log. */
export interface ArtifactsView {
  record: ArtifactsRecord;
  /** Where its files are, with a slash at the end. */
  folder: string;
}

/** Shown at once; the others when they are asked for. */
const MOST_AT_ONCE = 8;
/** A page of many thousand links is of no use to anybody; the API has them all. */
const MOST_FILES = 2000;

export function renderArtifacts({ record, folder }: ArtifactsView): Markup | undefined {
  const { files, bytes, leftOut, leftOutCount } = record;
  if (files.length === 0 && leftOutCount === 0) return undefined;
  const links = files.slice(0, MOST_FILES).map((file) => {
    const href = `${folder}${file.path.split("/").map(encodeURIComponent).join("/")}`;
    return markup`<li><a href="${href}">${file.name ?? file.path}</a> <span class="quiet">${sayBytes(file.bytes)}${file.isChanged && ", changed while it was read"}</span></li>`;
  });
  const [first, rest] = [links.slice(0, MOST_AT_ONCE), links.slice(MOST_AT_ONCE)];
  return markup`<section aria-labelledby="artifacts"><h2 id="artifacts">Artifacts</h2>
<p class="quiet">${files.length} ${files.length === 1 ? "file" : "files"}, ${sayBytes(bytes)}</p>
<ul class="files">${first}</ul>
${rest.length > 0 && markup`<details><summary>${rest.length} more</summary><ul class="files">${rest}</ul></details>`}
${files.length > MOST_FILES && markup`<p class="quiet">And ${files.length - MOST_FILES} more, which the API names.</p>`}
${leftOutCount > 0 && renderLeftOut(leftOut, leftOutCount)}</section>`;
}

function renderLeftOut(leftOut: ArtifactsRecord["leftOut"], total: number): Markup {
  const items = leftOut.map(({ name, why }) => markup`<li>${name}: ${why}</li>`);
  const isAll = leftOut.length === total;
  return markup`<details><summary>${total} left out</summary><ul class="files">${items}</ul>${!isAll && markup`<p class="quiet">And ${total - leftOut.length} more.</p>`}</details>`;
}

/** Failures that are open; a page of hundreds is not read, but looked through. */
const MOST_OPEN = 3;

export function renderJunit({ tests, failures, errors, skipped, failed, unread }: JunitRecord): Markup {
  const bad = failures + errors;
  const rows = failed.map(({ file, name, kind, message }, index) => {
    const head = markup`<b>${name === "" ? "(no name)" : name}</b> <span class="quiet">${kind === "error" && "error, "}${file}</span>`;
    if (message === "") return markup`<li>${head}</li>`;
    return markup`<li><details${index < MOST_OPEN && markup` open`}><summary>${head}</summary><pre>${message}</pre></details></li>`;
  });
  const heading = bad === 0 ? `Tests: all ${tests - skipped} passed` : `Tests: ${bad} of ${tests} failed`;
  return markup`<section aria-labelledby="junit-heading"><h2 id="junit-heading">${heading}</h2>
${skipped > 0 && markup`<p class="quiet">${skipped} ${skipped === 1 ? "was" : "were"} skipped.</p>`}
${rows.length > 0 && markup`<ul class="junit">${rows}</ul>`}
${bad > failed.length && markup`<p class="quiet">And ${bad - failed.length} more: see the files.</p>`}
${unread.map(({ file, why }) => markup`<p class="note" role="note">Not read: ${file}: ${why}</p>`)}</section>`;
}
