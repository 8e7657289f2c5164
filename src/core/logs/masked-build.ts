import type { ArtifactsRecord } from "../artifacts/artifacts-record.ts";
import { maskVerdict } from "../verdict/masked-decision.ts";
import type { BuildFile } from "./build-file.ts";
import { maskValues } from "./masked-values.ts";
import type { Masker } from "./masking.ts";

/**
 * Files for programs with every text masked that comes from outside. Their own words stay, and the names and times of what Kubernetes and this
 * program have made: a Secret may hold the word `success`, or a task's name, and the file is to be read all the same.
 */
export function maskBuildFile(file: BuildFile, masker: Masker): BuildFile {
  // What checks have found they found in what is masked already.
  const { build, containers, logs, artifacts, checks, ...others } = file;
  const { item, waitingFor, verdict } = build;
  return {
    ...maskValues(others, masker),
    build: {
      ...build,
      item: maskValues(item, masker),
      ...(waitingFor === undefined ? {} : { waitingFor: maskValues(waitingFor, masker) }),
      ...(verdict === undefined ? {} : { verdict: maskVerdict(verdict, masker) }),
    },
    containers: containers.map((container) => ({ ...maskValues(container, masker), name: container.name })),
    logs,
    ...(checks ? { checks } : {}),
    ...(artifacts ? { artifacts: maskArtifacts(artifacts, masker) } : {}),
  };
}

/** See `maskBuildFile`. */
export function maskArtifacts({ junit, ...others }: ArtifactsRecord, masker: Masker): ArtifactsRecord {
  const masked = maskValues(others, masker);
  if (!junit) return masked;
  const { failed, ...counts } = junit;
  const maskedFailed = failed.map((failure) => ({ ...maskValues(failure, masker), kind: failure.kind }));
  return { ...masked, junit: { ...maskValues(counts, masker), failed: maskedFailed } };
}
