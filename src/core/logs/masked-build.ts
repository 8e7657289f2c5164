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
  const masked = maskValues(file, masker);
  const { item, waitingFor } = masked.build;
  const { verdict } = file.build;
  return {
    ...masked,
    build: {
      ...file.build,
      item,
      ...(waitingFor === undefined ? {} : { waitingFor }),
      ...(verdict === undefined ? {} : { verdict: maskVerdict(verdict, masker) }),
    },
    containers: masked.containers.map((container, index) => ({ ...container, name: file.containers[index]?.name ?? container.name })),
    logs: file.logs,
    ...(file.artifacts ? { artifacts: maskArtifacts(file.artifacts, masker) } : {}),
  };
}

/** See `maskBuildFile`. */
export function maskArtifacts(record: ArtifactsRecord, masker: Masker): ArtifactsRecord {
  const masked = maskValues(record, masker);
  if (!masked.junit) return masked;
  const failed = masked.junit.failed.map((failure, index) => ({ ...failure, kind: record.junit?.failed[index]?.kind ?? failure.kind }));
  return { ...masked, junit: { ...masked.junit, failed } };
}
