/**
 * The life of one Consume call at its client:
 *
 *   opening ──started──▶ running ──stop──▶ stopping ──no-more──▶ finishing ──all-sent──▶ half-closed
 *      │                    │                  │                     │                       │
 *      └────────stop────────┼─────────────────▶┘                     │                       │
 *                           └──────────────── closed ────────────────┴──────▶ complete ◀─────┘
 *
 *   every phase ──ended──▶ over
 *
 * - `opening`: the server has not confirmed the call.
 * - `running`: records arrive and are worked on.
 * - `stopping`: a window of 0 was requested. Records that still arrive are released.
 * - `finishing`: the server has confirmed that window, so no more records arrive. Deliveries in hand are being
 *   finished.
 * - `half-closed`: all verdicts are sent. The server confirms the last ones and ends the call.
 * - `complete`: the topic is closed and everything is settled. The server ends the call.
 * - `over`: the call has ended or was lost. This consumer has lost all its records.
 *
 * The functions here are pure, and `step` is total: a phase or an event without its cell does not compile.
 */

/** What the server states at the start of a call. */
export interface Terms {
  /** The node's session of the subscription, for Commit; 0 for an ephemeral consumer. */
  readonly session: number;
  /** Infinity: none. */
  readonly ackDeadlineMs: number;
  /** Whether no other consumer can receive this one's records. */
  readonly isAlone: boolean;
}

export type CallState =
  | { readonly phase: "opening" }
  | { readonly phase: "running"; readonly terms: Terms }
  | { readonly phase: "stopping"; readonly terms: Terms }
  | { readonly phase: "finishing"; readonly terms: Terms }
  | { readonly phase: "half-closed"; readonly terms: Terms }
  | { readonly phase: "complete"; readonly terms: Terms }
  | { readonly phase: "over" };

export type CallEvent =
  | { readonly type: "started"; readonly terms: Terms }
  /** The consumer wants no more records. */
  | { readonly type: "stop" }
  /** The last requested window was 0, and the server has confirmed it. */
  | { readonly type: "no-more" }
  /** Nothing is in hand, and the transport has taken all verdicts. */
  | { readonly type: "all-sent" }
  /** The server reported that the topic is closed and everything is settled. */
  | { readonly type: "closed" }
  | { readonly type: "ended" };

type Phase = CallState["phase"];
type EventType = CallEvent["type"];
type In<Name extends Phase> = Extract<CallState, { readonly phase: Name }>;
type On<Name extends EventType> = Extract<CallEvent, { readonly type: Name }>;
type Table = {
  readonly [From in Phase]: {
    readonly [Name in EventType]: (state: In<From>, event: On<Name>) => CallState;
  };
};

/** Before the server has stated any. */
const unknownTerms: Terms = { session: 0, ackDeadlineMs: Infinity, isAlone: false };

const stays = (state: CallState): CallState => state;
const over = (): CallState => ({ phase: "over" });
const complete = ({ terms }: { readonly terms: Terms }): CallState => ({ phase: "complete", terms });

const table = {
  opening: {
    started: (_state, { terms }) => ({ phase: "running", terms }),
    stop: () => ({ phase: "stopping", terms: unknownTerms }),
    "no-more": stays,
    "all-sent": stays,
    closed: () => ({ phase: "complete", terms: unknownTerms }),
    ended: over,
  },
  running: {
    started: (_state, { terms }) => ({ phase: "running", terms }),
    stop: ({ terms }) => ({ phase: "stopping", terms }),
    // The user paused the consumption.
    "no-more": stays,
    "all-sent": stays,
    closed: complete,
    ended: over,
  },
  stopping: {
    started: (_state, { terms }) => ({ phase: "stopping", terms }),
    stop: stays,
    "no-more": ({ terms }) => ({ phase: "finishing", terms }),
    "all-sent": stays,
    closed: complete,
    ended: over,
  },
  finishing: {
    started: stays,
    stop: stays,
    "no-more": stays,
    "all-sent": ({ terms }) => ({ phase: "half-closed", terms }),
    closed: complete,
    ended: over,
  },
  "half-closed": {
    started: stays,
    stop: stays,
    "no-more": stays,
    "all-sent": stays,
    closed: complete,
    ended: over,
  },
  complete: { started: stays, stop: stays, "no-more": stays, "all-sent": stays, closed: stays, ended: over },
  over: { started: stays, stop: stays, "no-more": stays, "all-sent": stays, closed: stays, ended: stays },
} satisfies Table;

/** The next state of a call. */
export function step(state: CallState, event: CallEvent): CallState {
  // The compiler cannot see that the cell's types are those of this state and event.
  const cell = table[state.phase][event.type] as (state: CallState, event: CallEvent) => CallState;
  return cell(state, event);
}

export const opening: CallState = { phase: "opening" };

export function termsOf(state: CallState): Terms {
  return state.phase === "opening" || state.phase === "over" ? unknownTerms : state.terms;
}

/** Whether the server may end the call with OK. In the other phases, such an end is a lost call. */
export const mayEnd = {
  opening: false,
  running: false,
  stopping: false,
  finishing: false,
  "half-closed": true,
  complete: true,
  over: true,
} as const satisfies Record<Phase, boolean>;

/** Whether the client may still send requests. */
export const maySend = {
  opening: true,
  running: true,
  stopping: true,
  finishing: true,
  // The server itself takes back records that it delivered after the client's side ended.
  "half-closed": false,
  complete: true,
  over: false,
} as const satisfies Record<Phase, boolean>;
