import { artifactsRecordSchema } from "../../core/artifacts/artifacts-record.ts";
import type { ReadArtifact, ReadValues } from "../../core/checks/values-check.ts";
import { ARTIFACTS_FOLDER } from "../../core/logs/build-directory.ts";
import { ARTIFACTS_FILE } from "../../core/logs/log-files.ts";
import type { Check } from "../../core/test-task/schema/check.ts";
import type { LogStore } from "../stores/log-store.ts";
import { readStoredText } from "../stores/stored-text.ts";

const MAX_RECORD_BYTES = 32 * 2 ** 20;
const MAX_ARTIFACT_BYTES = 16 * 2 ** 20;
/** Of all artifacts that checks read. */
const MAX_READ_BYTES = 64 * 2 ** 20;

/** What checks need of the artifacts of a build, which are stored by then, or were not in time. Rejects as the store does. */
export async function readCheckedValues(
  checks: readonly Check[],
  { store, directory }: { store: LogStore; directory: string | undefined },
  signal: AbortSignal,
): Promise<ReadValues> {
  const wanted = checks.flatMap(({ values }) => (values ? [values] : []));
  if (wanted.length === 0) return { artifacts: new Map(), junit: undefined };
  const text =
    directory === undefined ? undefined : await readStoredText(store, `${directory}/${ARTIFACTS_FILE}`, MAX_RECORD_BYTES, signal);
  if (text === undefined) throw new Error("the artifacts were not stored in time, so that they can not be checked");
  const { files, junit } = artifactsRecordSchema.parse(JSON.parse(text));
  const artifacts = new Map<string, ReadArtifact>();
  let left = MAX_READ_BYTES;
  for (const { artifact: name } of wanted) {
    if (name === undefined || artifacts.has(name)) continue;
    const file = files.find((each) => (each.name ?? each.path) === name);
    if (!file) artifacts.set(name, { kind: "missing" });
    else if (file.bytes > Math.min(left, MAX_ARTIFACT_BYTES)) artifacts.set(name, { kind: "unread", why: "it is too large" });
    else {
      left -= file.bytes;
      const read = await readStoredText(store, `${directory}/${ARTIFACTS_FOLDER}/${file.path}`, MAX_ARTIFACT_BYTES, signal);
      artifacts.set(name, read === undefined ? { kind: "missing" } : { kind: "text", text: read });
    }
  }
  return { artifacts, junit };
}
