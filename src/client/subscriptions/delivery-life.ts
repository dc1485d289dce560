/**
 * The life of a delivered record, or of the records of one message, at the client:
 *
 *   arrived ──handed──▶ in-hand ──commit──▶ committing ──committed──▶ committed
 *      │                   │                   │    ▲ │                    ▲
 *      │                   │        commit-failed  commit └─finished, failed─▶ left
 *      │                   │                   ▼    │                        │
 *      │                   │                 uncommitted               commit-failed
 *      │                   │                   │                             │
 *      └───────said────────┴── said, finished, failed ──▶ settled ◀──────────┘
 *
 *   every phase before `settled` and `committed` ──lost──▶ lost
 *
 * - `arrived`: in memory; no work on it has begun.
 * - `in-hand`: a handler or a loop has it.
 * - `committing`: a Commit is running. `left`: its handler has ended meanwhile.
 * - `uncommitted`: in hand after a failed Commit. It is not acknowledged by itself, because its outputs were not
 *   written.
 * - `settled`: it has its first verdict, which counts. `committed`: the Commit settled it; no verdict is sent.
 * - `lost`: its deadline has passed, its call was lost, or it was redelivered.
 *
 * The functions here are pure, and `step` is total: a phase or an event without its cell does not compile.
 */

import { reasonOf } from "./reason.js";

/** What a consumer decides about a record. */
export type Verdict =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "reject"; readonly delayMs: number | undefined; readonly reason: string }
  | { readonly kind: "park"; readonly reason: string }
  | { readonly kind: "release" };

export type DeliveryState =
  | { readonly phase: "arrived" }
  | { readonly phase: "in-hand" }
  | { readonly phase: "uncommitted"; readonly error: unknown }
  | { readonly phase: "committing" }
  | { readonly phase: "left" }
  | { readonly phase: "settled"; readonly verdict: Verdict }
  | { readonly phase: "committed" }
  | { readonly phase: "lost" };

export type DeliveryEvent =
  | { readonly type: "handed" }
  /** Its consumer gives a verdict. */
  | { readonly type: "said"; readonly verdict: Verdict }
  /** Its handler ended without an error. */
  | { readonly type: "finished" }
  /** Its handler threw. */
  | { readonly type: "failed"; readonly error: unknown }
  | { readonly type: "commit" }
  | { readonly type: "committed" }
  | { readonly type: "commit-failed"; readonly error: unknown }
  | { readonly type: "lost" };

type Phase = DeliveryState["phase"];
type EventType = DeliveryEvent["type"];
type In<Name extends Phase> = Extract<DeliveryState, { readonly phase: Name }>;
type On<Name extends EventType> = Extract<DeliveryEvent, { readonly type: Name }>;
type Cell<From extends Phase, Name extends EventType> = (state: In<From>, event: On<Name>) => DeliveryState;
type Table = { readonly [From in Phase]: { readonly [Name in EventType]: Cell<From, Name> } };

export const arrived: DeliveryState = { phase: "arrived" };
export const acknowledge: Verdict = { kind: "acknowledge" };
export const release: Verdict = { kind: "release" };

const inHand: DeliveryState = { phase: "in-hand" };
const committing: DeliveryState = { phase: "committing" };
const left: DeliveryState = { phase: "left" };
const acknowledged: DeliveryState = { phase: "settled", verdict: acknowledge };
const committed: DeliveryState = { phase: "committed" };
const lost: DeliveryState = { phase: "lost" };

const stays = (state: DeliveryState): DeliveryState => state;
const toLost = (): DeliveryState => lost;
const said = (_state: DeliveryState, { verdict }: On<"said">): DeliveryState => ({ phase: "settled", verdict });
const failed = (_state: DeliveryState, { error }: { readonly error: unknown }): DeliveryState => ({
  phase: "settled",
  verdict: { kind: "reject", delayMs: undefined, reason: reasonOf(error) },
});

/** The default cells of a phase: the event comes too late, or does not concern it. */
const ignored = {
  handed: stays,
  said: stays,
  finished: stays,
  failed: stays,
  commit: stays,
  committed: stays,
  "commit-failed": stays,
  lost: stays,
} as const satisfies Record<EventType, typeof stays>;

const table = {
  arrived: { ...ignored, handed: () => inHand, said, lost: toLost },
  "in-hand": { ...ignored, said, finished: () => acknowledged, failed, commit: () => committing, lost: toLost },
  uncommitted: {
    ...ignored,
    said,
    finished: (state) => failed(state, state),
    failed,
    commit: () => committing,
    lost: toLost,
  },
  committing: {
    ...ignored,
    finished: () => left,
    failed: () => left,
    committed: () => committed,
    "commit-failed": (_state, { error }) => ({ phase: "uncommitted", error }),
    lost: toLost,
  },
  left: { ...ignored, committed: () => committed, "commit-failed": failed, lost: toLost },
  settled: ignored,
  committed: ignored,
  lost: ignored,
} satisfies Table;

/** The next state of a delivery. */
export function step(state: DeliveryState, event: DeliveryEvent): DeliveryState {
  // The compiler cannot see that the cell's types are those of this state and event.
  const cell = table[state.phase][event.type] as (state: DeliveryState, event: DeliveryEvent) => DeliveryState;
  return cell(state, event);
}
