/** The audit at the operator's socket: records the orders given there, and lists all records. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import {
  ACTOR_HEADER,
  type AuditEvent,
  type AuditOwner,
  OPERATOR,
  STRANGERS,
} from '../../model/audit.ts'
import { messageOf, refused } from '../../model/errors.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import type { ReadTx } from '../../store/store.ts'
import { findAccount } from '../accounts/find-account.ts'
import type { Audit } from './port.ts'

const NAME_LIMIT = 64
const QUERY_LIMIT = 512
/** Most records of one list. */
const LIST_MAX = 1_000

/** A record of one call, for the operator. */
export interface AuditReport {
  readonly time: string
  /** An account's id, `operator`, or `strangers`: who proved no identity. */
  readonly owner: string
  readonly user: string
  readonly action: string
  /** The whole record, in CloudTrail's form. */
  readonly event: unknown
}

/** Records every order, whether it is carried out or refused. */
export function recordOrders(server: FastifyInstance, audit: Audit): void {
  const refusals = new WeakMap<object, string>()
  server.addHook('onError', async (request, _reply, error) => {
    refusals.set(request, messageOf(error))
  })
  server.addHook('onResponse', async (request) => {
    if (request.method !== 'POST') return
    const [path = '', query = ''] = request.url.split('?')
    const actor = request.headers[ACTOR_HEADER]
    audit.ordered({
      actor: typeof actor === 'string' ? actor : 'root',
      name: nameOf(request),
      parameters: { path, ...(query === '' ? {} : { query: query.slice(0, QUERY_LIMIT) }) },
      error: refusals.get(request),
    })
  })
}

/** `hosts drain` of `/v1/hosts/:name/:order`. */
function nameOf({ routeOptions, params }: FastifyRequest): string {
  const order = z.object({ order: z.string() }).safeParse(params).data?.order ?? ''
  const steps = (routeOptions.url ?? '/v1/unknown').split('/').slice(2)
  const words = steps.map((step) => (step === ':order' ? order : step))
  return words
    .filter((word) => !word.startsWith(':'))
    .join(' ')
    .slice(0, NAME_LIMIT)
}

/** `GET /v1/audit`: all records, newest first. */
export function addAuditRoute(server: FastifyInstance, store: InformedStore): void {
  server.get<{ Querystring: Readonly<Record<string, unknown>> }>(
    '/v1/audit',
    async ({ query }): Promise<readonly AuditReport[]> => {
      const limit = countOf(query['limit'])
      const sinceMs = timeOf(query['since'])
      const work = async (tx: ReadTx): Promise<readonly AuditEvent[]> => {
        const found: AuditEvent[] = []
        // Of each owner by itself, as the index has them.
        for (const owner of await ownersOf(tx, query['account']))
          found.push(
            ...(await tx.auditEvents({ owner, limit, ...(sinceMs === null ? {} : { sinceMs }) })),
          )
        return found
      }
      const { value } = await store.read(work, { mayBeOld: false })
      return value
        .toSorted((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1))
        .slice(0, limit)
        .map(reportOf)
    },
  )
}

async function ownersOf(tx: ReadTx, account: unknown): Promise<readonly AuditOwner[]> {
  if (account === undefined)
    return [OPERATOR, STRANGERS, ...(await tx.accounts()).map(({ id }) => id)]
  if (account === OPERATOR || account === STRANGERS) return [account]
  return [(await findAccount(tx, String(account))).id]
}

function countOf(value: unknown): number {
  if (value === undefined) return LIST_MAX
  const count = Number(value)
  if (Number.isInteger(count) && count >= 1 && count <= LIST_MAX) return count
  throw refused('InvalidParameterValue', `The limit must be from 1 to ${LIST_MAX}`)
}

function timeOf(value: unknown): number | null {
  if (value === undefined) return null
  const ms = Date.parse(String(value))
  if (!Number.isNaN(ms) && ms >= 0) return ms
  throw refused('InvalidParameterValue', 'The time must look like 2026-11-22T08:33:27Z')
}

function reportOf({ atMs, owner, user, name, event }: AuditEvent): AuditReport {
  const time = new Date(atMs).toISOString()
  return { time, owner, user, action: name, event: parseJson(event) ?? event }
}
