/** What the operator binds and sets. docs/cloudflare.md says how. */
export interface Env {
  /** The origin's viewer plane: scheme and authority. */
  ORIGIN: string;
  /** How this edge calls itself: 1 to 32 of a-z, 0-9 and '-'; a data centre's may come behind it. */
  POP?: string | null;
  /**
   * What the origin shares with its edges, 32 characters at least. A secret. Session tickets are signed
   * with what comes of it, unless the policy has a `ticket_key`.
   */
  EDGE_SECRET?: string | null;
  /** The edge policy as JSON: keys, audience, countries, pathways. A secret. */
  POLICY?: string | null;
  /** Whose pages may open rooms besides this host's own, such as `https://example.org,https://example.net`. */
  PAGE_ORIGINS?: string | null;
  /** Health of the policy's pathways, 0 to 100 each, such as `100,40`; all are well without it. */
  PATHWAY_HEALTH?: string | null;

  /** Chat rooms: the Worker of weir-edge-rooms. */
  ROOMS?: Fetcher;
  /** Keeps spans, so that recordings need no origin. */
  SPANS?: R2Bucket;
  /** Counts requests and what players say of themselves. */
  COUNTS?: AnalyticsEngineDataset;
  /** Has the Durable Object share answers, in the place of Workers Cache. */
  COALESCER?: DurableObjectNamespace;
  /** Rate limits by the number of their bucket: `LIMIT_0` and so on. */
  [limit: `LIMIT_${number}`]: RateLimit | undefined;
}

declare global {
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof import("./main.ts");
      durableNamespaces: "Coalescer";
    }
  }
}
