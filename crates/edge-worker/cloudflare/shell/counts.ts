/** One data point a request, where a dataset of Analytics Engine is bound. */
import type { Plan } from "./abi.ts";
import type { Asked } from "./asked.ts";

/**
 * Blobs: class, action, Cache-Status, country, data centre, CMCD object type. Doubles: status,
 * startup, starved, bitrate and throughput in kbit/s, buffer in ms; unknown ones are -1.
 */
export function count({ request, env }: Asked, plan: Plan, answer: Response) {
  const { cmcd } = plan;
  const number = (value: number | boolean | undefined) => (value === undefined ? -1 : Number(value));
  env.COUNTS?.writeDataPoint({
    indexes: [plan.class],
    blobs: [
      plan.class,
      plan.action.action,
      answer.headers.get("cache-status"),
      String(request.cf?.country ?? ""),
      String(request.cf?.colo ?? ""),
      cmcd?.objectType ?? "",
    ],
    doubles: [
      answer.status,
      number(cmcd?.startup),
      number(cmcd?.starved),
      number(cmcd?.bitrateKbps),
      number(cmcd?.throughputKbps),
      number(cmcd?.bufferMs),
    ],
  });
}
