/** What a build may keep beside its log. What is beyond is left out, and that is said; the collector and the operator count alike. */
export interface ArtifactLimits {
  totalBytes: number;
  files: number;
  /** Of its path, in bytes: a directory of the build comes before it, and stores take about a thousand. */
  pathBytes: number;
  /** Of one part of a path; most file systems take 255. */
  nameBytes: number;
  /** Parts of a path. */
  depth: number;
}

export const ARTIFACT_LIMITS: ArtifactLimits = {
  totalBytes: 4 * 2 ** 30,
  files: 20_000,
  pathBytes: 350,
  nameBytes: 200,
  depth: 32,
};

/** Of what was left out, so much is named; the rest is counted. */
export const MAX_LEFT_OUT_NAMED = 200;
