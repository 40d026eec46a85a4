/**
 * Actions that change something: `changeAction` makes one from its schema and the work of its
 * transaction.
 *
 * `change` does what they have in common. A dry run does the whole work and rolls it back, so it
 * checks the same and changes nothing. A client token makes a repeated request return the first
 * result. The record of the call (`audit/`) is committed with the change. After the commit every
 * host that the work concerns is rung.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ringConcerned } from '../bus/ring.ts'
import { isoTime } from '../lib/clock.ts'
import { AtollError, refused, unavailable } from '../model/errors.ts'
import { type AccountId, type NewId, newIds } from '../model/ids.ts'
import { type MetadataDefaults, NO_PREFERENCE } from '../model/metadata-options.ts'
import { announcing } from '../store/announce.ts'
import { isEngineError } from '../store/engines/engine.ts'
import type { Tx } from '../store/store.ts'
import type { Action, ActionName, ApiParts, ApiSettings, Call, Caller } from './action.ts'
import type { Budget } from './budget.ts'
import { dryRun, parseInput } from './parameters.ts'
import { settingsOf } from './quotas.ts'
import { dryRunShape } from './schemas.ts'

/** What a change gets besides its transaction. */
export interface Changing {
  /** The caller's account. */
  readonly account: AccountId
  readonly caller: Caller
  /** The time of the request (ISO 8601). */
  readonly now: string
  readonly newId: NewId
  /** In the transaction with the account's own quotas. */
  readonly settings: ApiSettings
  /** In the transaction: what the account's launches get that name no metadata options. */
  readonly metadata: MetadataDefaults
  readonly budget: Budget
  /** The client's IP address, for policies. */
  readonly sourceIp: string | undefined
  /**
   * Ends a dry run early, before work that takes long and refuses nothing that the caller could
   * change. Otherwise it is not needed, because a dry run changes nothing in any case.
   */
  dryRun(): void
  readonly parts: Pick<ApiParts, 'catalogue' | 'keyGeneration' | 'random' | 'keepKey' | 'messages'>
}

/**
 * A request with a client token is executed once. A repetition gets the first result.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Run_Instance_Idempotency.html
 */
interface Once<R> {
  /** Null: the request has no token, and each repetition is a new request. */
  readonly token: string | null
  /** What is stored with the token. */
  readonly result: string
  /**
   * The first result, from what is stored with the token. Refuses if nothing of it exists any more.
   */
  readonly repeat: (tx: Tx, result: string) => Promise<R>
}

interface ChangeSpec<S extends z.ZodType, P, R> {
  /** As in the request's `Action` parameter. */
  readonly name: ActionName
  /** Its parameters, except `DryRun`, which `changeAction` handles. */
  readonly input: S
  /**
   * Work before the transaction: slow work, and work that needs no records. Without it `change`
   * gets the parsed parameters.
   */
  readonly prepare?: (asked: z.output<S>, changing: Changing) => P | Promise<P>
  readonly once?: (prepared: P, changing: Changing) => Once<R>
  /**
   * The work in its transaction: all checks and all writes. It may run more than once, and must not
   * touch anything but `tx`.
   */
  readonly change: (tx: Tx, prepared: P, changing: Changing) => Promise<R>
  /**
   * `claim`: many requests do this at once to the same rows. Only for work that meets the
   * conditions of `claim` (`store.ts`), by a token that each request has. `change` by default.
   */
  readonly kind?: 'claim'
  /** Whether to run it once more, because the refusal may be due to an old reading. */
  readonly retry?: (prepared: P) => boolean
  /** The answer, in the members of the SDK's output shape. Empty by default. */
  readonly view?: (result: R, changing: Changing) => object | Promise<object>
}

const dryRunSchema = z.looseObject(dryRunShape)

/** An action of one transaction. */
export function changeAction<S extends z.ZodType, R, P = z.output<S>>(
  spec: ChangeSpec<S, P, R>,
): Action {
  const { name, input: schema, prepare, once, view, retry } = spec
  return {
    name,
    input: schema,
    changes: true,
    async run(call) {
      const { DryRun: _, ...input } = parseInput(dryRunSchema, call.input)
      const changing = changingOf(call)
      const asked = parseInput(schema, input)
      // Without `prepare`, P is the schema's output.
      const prepared = prepare === undefined ? (asked as P) : await prepare(asked, changing)
      const attempt = () =>
        change(call, async (tx) => spec.change(tx, prepared, await ofAccount(tx, changing)), {
          ...(once === undefined ? {} : { once: { ...once(prepared, changing), action: name } }),
          kind: spec.kind ?? 'change',
          view: async (result) => (await view?.(result, changing)) ?? {},
        })
      return await attempt().catch((error: unknown) => {
        const isRefused = error instanceof AtollError && error.kind === 'refused'
        if (isRefused && error.code !== 'DryRunOperation' && retry?.(prepared) === true)
          return attempt()
        throw isUnreferable(error) ? unreferable(error) : error
      })
    },
  }
}

/**
 * Whether the engine refused a row because another that it refers to is not there, although the
 * transaction has seen what says that it is, also when it was run again.
 */
function isUnreferable(error: unknown): boolean {
  if (isEngineError(error, 'referenced')) return true
  return isEngineError(error, 'conflict') && isEngineError((error as Error).cause, 'referenced')
}

/** The row that is referred to has another key: somebody has damaged it. */
function unreferable(error: unknown): AtollError {
  return unavailable(
    'A record that this depends on cannot be read, so it cannot be done; `atoll status` names it',
    error,
  )
}

/** With the account's own quotas and defaults. */
async function ofAccount(tx: Tx, changing: Changing): Promise<Changing> {
  return { ...changing, ...(await settingsOf(tx, changing.account, changing.settings)) }
}

interface ChangeOptions<R> {
  readonly once?: Once<R> & { readonly action: string }
  readonly kind: 'change' | 'claim'
  readonly view: (result: R) => Promise<object>
}

/**
 * Runs `work` in one transaction with the record of the call, and rings the hosts that it concerns.
 * Returns the answer. Errors: `DryRunOperation` for a dry run that would have succeeded; those of
 * the work and of the store.
 */
async function change<R>(
  call: Call,
  work: (tx: Tx) => Promise<R>,
  { once, kind, view }: ChangeOptions<R>,
): Promise<object> {
  const { records, parts, audit } = call
  const ringing = announcing(records, (scopes) => ringConcerned(parts.bus, scopes))
  const { output, event } = await ringing[kind](async (tx) => {
    const result = await (once === undefined ? work(tx) : workOnce(tx, call, once, work))
    dryRun(call)
    const output = await view(result)
    const event = audit?.eventOf(output)
    if (event !== undefined) await tx.insertAuditEvent(event)
    return { output, event }
  })
  if (event !== undefined) audit?.committed(event)
  return output
}

/** The work, or the first result for the same token. A dry run uses no token. */
async function workOnce<R>(
  tx: Tx,
  call: Call,
  { token, action, result, repeat }: Once<R> & { readonly action: string },
  work: (tx: Tx) => Promise<R>,
): Promise<R> {
  if (token === null || call.input['DryRun'] === true) return await work(tx)
  const { account } = call.caller
  const parametersHash = hashParameters(call.input)
  const createdAt = isoTime(call.parts.clock.now())
  const row = { account, action, token, parametersHash, result, createdAt }
  if ((await tx.insertClientToken(row)) === 'done') return await work(tx)
  const earlier = await tx.clientToken(account, action, token)
  if (earlier === undefined) {
    // A token that cannot be read tells nothing. A missing one is that of another transaction,
    // which the UNIQUE key knows, and which this one may not see yet.
    const isThere = tx.unreadable().some(({ table }) => table === 'clientTokens')
    if (isThere && (await tx.replaceUnreadableClientToken(row)) === 'done') return await work(tx)
    throw unavailable('A request with the same ClientToken is in progress; try again')
  }
  if (earlier.parametersHash !== parametersHash) {
    throw refused(
      'IdempotentParameterMismatch',
      'Arguments on this idempotent request are inconsistent with arguments used in previous request(s)',
    )
  }
  return await repeat(tx, earlier.result)
}

/**
 * A hash of the request's parameters, without the token and DryRun. Their order does not matter.
 */
function hashParameters(input: Call['input']): string {
  const { ClientToken: _token, DryRun: _dryRun, ...asked } = input
  const text = JSON.stringify(asked, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(text).digest('hex')
}

function changingOf(call: Call): Changing {
  const { clock, random, settings, catalogue, keyGeneration, keepKey, messages } = call.parts
  return {
    account: call.caller.account,
    caller: call.caller,
    now: isoTime(clock.now()),
    newId: newIds(random),
    settings,
    metadata: NO_PREFERENCE,
    budget: call.budget,
    sourceIp: call.sourceIp,
    dryRun: () => dryRun(call),
    parts: { catalogue, keyGeneration, random, keepKey, messages: messages ?? null },
  }
}
