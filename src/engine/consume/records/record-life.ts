/**
 * The life of a consumed record on the node that holds its claim, and every reason to leave a phase:
 *
 *   unread ──read──▶ ready ──handed──▶ sending ──delivered──▶ outstanding
 *     │                ▲                  │                        │
 *     │            fetched                │ acknowledged           │ acknowledged ──▶ settling ──written──▶ gone
 *     │                │                  │ parked                 │ parked ────────▶ parking ───written──▶ gone
 *     │             fetching              │                        │ rejected, deadline, lost
 *     │                ▲ due              │ deadline, lost, left   │   after the last attempt ─▶ parking
 *     └──restored──▶ waiting ◀──noted── noting ◀── released, left, else ──┘
 *
 *   ready, fetching ──unkept (expired or trimmed)──▶ settling
 *   every phase ──elsewhere (a Commit or another node settled it), claim-lost──▶ gone
 *
 * What counts. A delivery counts as an attempt unless it ends by `released`, which says that no work on it was begun. It
 * counts as a failure when the consumer rejects the record, parks it, lets its deadline pass or is lost with it. It is no
 * failure when the consumer leaves in order, or its transport never took the message.
 *
 * The functions here are pure, and `step` is total: a phase or an event without its cell does not compile. Whoever holds a
 * run changes its state only with `step`.
 */

/** What is known of a record's earlier deliveries, in every phase. */
interface Past {
  /** How many attempts it had. */
  readonly deliveries: number;
  /** How many of them failed. */
  readonly failures: number;
  /** The database has a note of it in `retries`, which is deleted when it is settled. */
  readonly isNoted: boolean;
}

export type RecordState =
  /** In a claim, and not read from the topic yet. */
  | (Past & { readonly phase: "unread" })
  /** Read from the topic: waits for a consumer with room. */
  | (Past & { readonly phase: "ready" })
  /** In a message that the transport has not taken yet. Times here and below are by the monotonic clock. */
  | (Past & { readonly phase: "sending"; readonly deadlineMs: number })
  /** The transport took its message: a consumer has it until the deadline. */
  | (Past & { readonly phase: "outstanding"; readonly deadlineMs: number })
  /** To be redelivered; the note of it is not written yet. `reason` undefined: it did not fail. */
  | (Past & { readonly phase: "noting"; readonly delayMs: number; readonly reason: string | undefined })
  /** Waits for the time of its redelivery. */
  | (Past & { readonly phase: "waiting"; readonly dueMs: number })
  /** Its time has come: its frame is being read. */
  | (Past & { readonly phase: "fetching" })
  /** To be parked, which is not written yet. */
  | (Past & { readonly phase: "parking"; readonly reason: string })
  /** Done, which is not written yet. */
  | (Past & { readonly phase: "settling" })
  /** Settled, or in the hands of another node. */
  | (Past & { readonly phase: "gone" });

export type RecordEvent =
  | { readonly type: "read" }
  /** The node that held its claim before noted it. */
  | ({ readonly type: "restored"; readonly dueMs: number } & Omit<Past, "isNoted">)
  | { readonly type: "handed"; readonly deadlineMs: number }
  | { readonly type: "delivered"; readonly deadlineMs: number }
  | { readonly type: "extended"; readonly deadlineMs: number }
  | { readonly type: "acknowledged" }
  /** `delayMs` undefined: as the policy backs off. */
  | { readonly type: "rejected"; readonly delayMs: number | undefined; readonly reason: string }
  | { readonly type: "parked"; readonly reason: string }
  | { readonly type: "released" }
  | { readonly type: "deadline"; readonly reason: string }
  | { readonly type: "lost"; readonly reason: string }
  | { readonly type: "left" }
  | { readonly type: "noted"; readonly nowMs: number }
  | { readonly type: "due" }
  | { readonly type: "fetched" }
  /** Its frame could not be read: the next try is at `dueMs`. */
  | { readonly type: "unfetched"; readonly dueMs: number }
  | { readonly type: "unkept" }
  | { readonly type: "written" }
  | { readonly type: "elsewhere" }
  | { readonly type: "claim-lost" };

/** The rules for failures, by the policy of the subscription. */
export interface FailureRules {
  readonly attemptsMax: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Whether there is room for another parked record. Without it, a record is redelivered after its last attempt, too. */
  readonly canPark: boolean;
}

type Phase = RecordState["phase"];
type EventType = RecordEvent["type"];
type In<Name extends Phase> = Extract<RecordState, { readonly phase: Name }>;
type On<Name extends EventType> = Extract<RecordEvent, { readonly type: Name }>;

type Failure = On<"rejected" | "parked" | "deadline" | "lost">;

/** A cell of the table: gives the state after an event. */
type Cell<From extends Phase, Name extends EventType> = (
  state: In<From>,
  event: On<Name>,
  rules: FailureRules,
) => RecordState;

type Row<From extends Phase> = { readonly [Name in EventType]: Cell<From, Name> };

const stays = (state: RecordState): RecordState => state;
const pastOf = ({ deliveries, failures, isNoted }: Past): Past => ({ deliveries, failures, isNoted });
const gone = (past: Past): RecordState => ({ phase: "gone", ...pastOf(past) });
const settling = (past: Past): RecordState => ({ phase: "settling", ...pastOf(past) });
const ready = (past: Past): RecordState => ({ phase: "ready", ...pastOf(past) });
const outstanding = (past: Past, { deadlineMs }: { readonly deadlineMs: number }): RecordState => ({
  phase: "outstanding",
  ...pastOf(past),
  deadlineMs,
});
const waiting = (past: Past, dueMs: number): RecordState => ({
  phase: "waiting",
  ...pastOf(past),
  isNoted: true,
  dueMs,
});

/** Events that change nothing: they come too late, or do not concern the phase. */
const ignored: { readonly [Name in EventType]: typeof stays } = {
  read: stays,
  restored: stays,
  handed: stays,
  delivered: stays,
  extended: stays,
  acknowledged: stays,
  rejected: stays,
  parked: stays,
  released: stays,
  deadline: stays,
  lost: stays,
  left: stays,
  noted: stays,
  due: stays,
  fetched: stays,
  unfetched: stays,
  unkept: stays,
  written: stays,
  elsewhere: stays,
  "claim-lost": stays,
};

/** Every phase but the last. */
const alive = { ...ignored, elsewhere: gone, "claim-lost": gone };

/** What a consumer may say of a record that it was handed: it may have got it before its transport called back. */
const handedOut = {
  ...alive,
  extended: outstanding,
  acknowledged: settling,
  rejected: failed,
  parked,
  released: (past: Past) => noting(past, 0, undefined),
  left: (past: Past) => noting(attempted(past), 0, undefined),
};

const table: { readonly [From in Phase]: Row<From> } = {
  unread: {
    ...alive,
    read: ready,
    restored: (_state, { deliveries, failures, dueMs }) => waiting({ deliveries, failures, isNoted: true }, dueMs),
  },
  ready: {
    ...alive,
    handed: (state, { deadlineMs }) => ({ phase: "sending", ...pastOf(state), deadlineMs }),
    unkept: settling,
  },
  sending: {
    ...handedOut,
    delivered: outstanding,
    // The consumer may have got the message, but had no time to work on it.
    deadline: (state) => noting(attempted(state), 0, undefined),
    lost: (state) => noting(attempted(state), 0, undefined),
  },
  outstanding: {
    ...handedOut,
    deadline: failed,
    lost: failed,
  },
  noting: { ...alive, noted: (state, { nowMs }) => waiting(state, nowMs + state.delayMs) },
  waiting: { ...alive, due: (state) => ({ phase: "fetching", ...pastOf(state) }) },
  fetching: {
    ...alive,
    fetched: ready,
    unfetched: (state, { dueMs }) => waiting(state, dueMs),
    unkept: settling,
  },
  parking: { ...alive, written: gone },
  settling: { ...alive, written: gone },
  gone: ignored,
};

/** The state of a record after an event. `rules` are needed by events that may be failures. */
export function step(state: RecordState, event: RecordEvent, rules: FailureRules = noFailures): RecordState {
  // The table has a cell for each pair, but the compiler cannot see that this cell takes this pair.
  const cell = table[state.phase][event.type] as (
    state: RecordState,
    event: RecordEvent,
    rules: FailureRules,
  ) => RecordState;
  return cell(state, event, rules);
}

export const unread: RecordState = { phase: "unread", deliveries: 0, failures: 0, isNoted: false };

/** The reasons of failures that name none. */
const unnamedReasons = {
  rejected: "rejected",
  parked: "parked by its consumer",
  deadline: "",
  lost: "",
} as const satisfies Record<Failure["type"], string>;

/** For events that are no failures. */
const noFailures: FailureRules = { attemptsMax: Infinity, retryMinMs: 0, retryMaxMs: 0, canPark: false };

function attempted(past: Past): Past {
  return { ...pastOf(past), deliveries: past.deliveries + 1 };
}

function noting(past: Past, delayMs: number, reason: string | undefined): RecordState {
  return { phase: "noting", ...pastOf(past), delayMs, reason };
}

function failed(past: Past, failure: Failure, rules: FailureRules): RecordState {
  const after = { ...attempted(past), failures: past.failures + 1 };
  const reason = reasonOf(failure);
  if (after.failures >= rules.attemptsMax && rules.canPark) return { phase: "parking", ...after, reason };
  return noting(after, delayMsOf(failure, after.failures, rules), reason);
}

/** A consumer parks its record. Where there is no room for that, it is redelivered after the longest delay. */
function parked(past: Past, failure: On<"parked">, rules: FailureRules): RecordState {
  if (!rules.canPark) return failed(past, failure, rules);
  return { phase: "parking", ...attempted(past), failures: past.failures + 1, reason: reasonOf(failure) };
}

function reasonOf({ type, reason }: Failure): string {
  return reason === "" ? unnamedReasons[type] : reason;
}

function delayMsOf(failure: Failure, failures: number, rules: FailureRules): number {
  switch (failure.type) {
    case "rejected":
      return failure.delayMs ?? backoffMs(failures, rules);
    case "parked":
      return rules.retryMaxMs;
    case "deadline":
    case "lost":
      return 0;
    default:
      return failure satisfies never;
  }
}

/** The delay after a number of failures: doubles from `retryMinMs` up to `retryMaxMs`. */
function backoffMs(failures: number, { retryMinMs, retryMaxMs }: FailureRules): number {
  return Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures - 1, 40));
}
