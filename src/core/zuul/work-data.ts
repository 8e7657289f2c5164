/** Who answers, as Zuul shows it beside a build (`worker_*`). */
export interface WorkerIdentity {
  manager: string;
  name: string;
  hostname: string;
  fqdn: string;
  program: string;
  version: string;
  ips: string[];
}

/**
 * The JSON of WORK_DATA and WORK_COMPLETE. Zuul reads the last packet that carried data (`zuul/launcher/gearman.py`, `getJobData`), so
 * each one is whole; `url` it takes from WORK_DATA only. `result` belongs in the last two packets alone: if the worker is lost after
 * a packet with a result, Zuul takes that result for the build's.
 */
export interface WorkData {
  name: string;
  number: string;
  manager: string;
  url: string;
  worker_name: string;
  worker_hostname: string;
  worker_fqdn: string;
  worker_program: string;
  worker_version: string;
  worker_ips: string[];
  worker_extra: Record<string, never>;
  result?: string;
  node_name?: string;
  node_labels?: string[];
}

/** What is said first, before anything slow: without `result`. */
export function renderWorkData(build: { jobName: string; number: string; url: string }, worker: WorkerIdentity): WorkData {
  return {
    name: build.jobName,
    number: build.number,
    manager: worker.manager,
    url: build.url,
    worker_name: worker.name,
    worker_hostname: worker.hostname,
    worker_fqdn: worker.fqdn,
    worker_program: worker.program,
    worker_version: worker.version,
    worker_ips: worker.ips,
    worker_extra: {},
  };
}

/** What is said last. A null result leaves `result` out: with WORK_FAIL after it, Zuul runs the build again. */
export function renderFinalWorkData(
  started: WorkData,
  end: { result: string | null; node: string | undefined; nodeLabels: string[]; url?: string | undefined },
): WorkData {
  return {
    ...started,
    ...(end.url === undefined ? {} : { url: end.url }),
    ...(end.result === null ? {} : { result: end.result }),
    ...(end.node === undefined ? {} : { node_name: end.node }),
    node_labels: end.nodeLabels,
  };
}
