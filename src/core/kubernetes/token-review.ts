import * as z from "zod";

/** The pod that a token was made for. */
export interface TokenPod {
  namespace: string;
  name: string;
  uid: string;
}

const only = z.tuple([z.string().min(1)]);
/** https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ */
const statusSchema = z.object({
  authenticated: z.literal(true),
  audiences: z.array(z.string()),
  user: z.object({
    username: z.string().regex(/^system:serviceaccount:[a-z0-9-]+:[a-z0-9.-]+$/),
    extra: z.object({ "authentication.kubernetes.io/pod-name": only, "authentication.kubernetes.io/pod-uid": only }),
  }),
});

/**
 * Reads the `status` of a TokenReview that asked for this audience: the pod that the token is bound to; undefined where it is not good for
 * that, or bound to none. A server that knows nothing of audiences names none, and has not looked at them.
 */
export function readTokenPod(status: unknown, audience: string): TokenPod | undefined {
  const read = statusSchema.safeParse(status);
  if (!read.success || !read.data.audiences.includes(audience)) return undefined;
  const { username, extra } = read.data.user;
  const [, , namespace = ""] = username.split(":");
  return {
    namespace,
    name: extra["authentication.kubernetes.io/pod-name"][0],
    uid: extra["authentication.kubernetes.io/pod-uid"][0],
  };
}
