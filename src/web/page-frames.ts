import type { Asset, AssetRole } from "./assets.ts";
import type { PageFrame } from "./pages/layout.ts";

/** The frame of a page that is `depth` folders below the root: relative, so that a proxy may serve all under a path of its own. */
export function frameAt(depth: number, assets: Record<AssetRole, Asset>): PageFrame {
  const home = "../".repeat(depth);
  const at = ({ name }: Asset) => `${home}assets/${name}`;
  return { home, stylesheet: at(assets.stylesheet), script: at(assets.script), icon: at(assets.icon) };
}
