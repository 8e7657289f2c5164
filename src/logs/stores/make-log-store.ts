import type { LogsConfig } from "../../core/logs/store-config.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { FilesStore } from "./files/files-store.ts";
import type { LogStore } from "./log-store.ts";

/** The store that the configuration names; undefined for none. Throws InputError for an authority's file that can't be read. */
export async function makeLogStore(config: LogsConfig, { clock, logger }: { clock: Clock; logger: Logger }): Promise<LogStore | undefined> {
  const common = { publicUrl: config.url, clock, logger };
  switch (config.store) {
    case "none":
      return undefined;
    case "files":
      return new FilesStore({ directory: config.directory ?? "", ...common });
    case "s3": {
      // Half a second and 36 MB that others need not spend.
      const { S3Store } = await import("./s3/s3-store.ts");
      const { bucket = "", prefix = "", endpoint, region = "us-east-1", caFile, credentialsDirectory } = config;
      const pathStyle = config.pathStyle ?? endpoint !== undefined;
      return new S3Store({ bucket, prefix, endpoint, region, pathStyle, caFile, credentialsDirectory, ...common });
    }
  }
}
