import { join } from "node:path";
import { goProgram } from "../go-program.ts";

/** Versity's S3 gateway, a real S3 server on a directory. Built once, in a minute or two. Throws as `goProgram` does. */
export function s3ServerProgram(): Promise<string> {
  return goProgram({
    ...{ title: "an S3 server", name: "versitygw", cache: "s3-server" },
    sources: join(import.meta.dirname, "versitygw"),
    package: "github.com/versity/versitygw/cmd/versitygw",
  });
}
