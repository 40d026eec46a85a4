/** The operator's orders for moves of instances, at the socket of the `atoll` command. */
import type { FastifyInstance } from 'fastify'
import type { BusCaller } from '../../bus/bus.ts'
import { ringConcerned } from '../../bus/ring.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { AtollError, messageOf, refused } from '../../model/errors.ts'
import { type HostName, type InstanceId, parseHostName, parseId } from '../../model/ids.ts'
import { announcing } from '../../store/announce.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import type { ReadTx } from '../../store/store.ts'
import { setDraining } from '../hosts.ts'
import { beginMove, cancelMove, type Live, type MoveSettings } from './begin.ts'
import { evacuationOf, MOVES_AT_ONCE, type MoveReport, rebalanceOf, reportOf } from './evacuate.ts'

/** What the routes need. */
export interface MoveRouteOptions {
  readonly store: InformedStore
  readonly bus: BusCaller
  readonly clock: Clock
  readonly log: Log
  readonly settings: MoveSettings
}

/** Adds them. */
export function addMoveRoutes(server: FastifyInstance, options: MoveRouteOptions): void {
  const { bus, clock, log } = options
  const { drivers, reserve } = options.settings
  const store = announcing(options.store, (scopes) => ringConcerned(bus, scopes))
  const read = async <T>(work: (tx: ReadTx) => Promise<T>): Promise<T> =>
    (await options.store.read(work, { mayBeOld: false })).value

  async function begin(id: InstanceId, to: HostName | null, live: Live): Promise<HostName> {
    const now = isoTime(clock.now())
    const chosen = await store.change((tx) =>
      beginMove(tx, { id, to, live, now, drivers, reserve }),
    )
    log.info({ instance: id, to: chosen, live }, 'instance is to be moved')
    return chosen
  }

  /** Begins what may be under way at once. What cannot begin now is tried by the next call. */
  async function beginSome(reports: readonly MoveReport[], live: Live): Promise<number> {
    const isUnderWay = ({ state }: MoveReport) =>
      state === 'stopping' || state === 'copying' || state === 'starting'
    const waiting = reports.filter(({ state }) => state === 'waiting')
    let begun = 0
    for (const { instance, from, to } of waiting) {
      const underWay = reports.filter((one) => one.from === from && isUnderWay(one)).length
      if (underWay + begun >= MOVES_AT_ONCE) break
      try {
        await begin(instance, to, live)
        begun += 1
      } catch (error) {
        if (!(error instanceof AtollError) || error.kind !== 'refused') throw error
        log.warn({ instance, to, error: messageOf(error) }, 'instance cannot be moved now')
      }
    }
    return begun
  }

  server.get('/v1/moves', async (): Promise<readonly MoveReport[]> => {
    return (await read((tx) => tx.moves({}))).map(reportOf)
  })
  server.post<{ Params: { id: string }; Querystring: { to?: string; live?: string } }>(
    '/v1/instances/:id/move',
    async ({ params, query }) => {
      const id = instanceOf(params.id)
      const to = query.to === undefined ? null : hostOf(String(query.to))
      return { instance: id, to: await begin(id, to, liveOf(query.live)) }
    },
  )
  server.post<{ Params: { id: string } }>('/v1/instances/:id/cancel-move', async ({ params }) => {
    const id = instanceOf(params.id)
    const now = isoTime(clock.now())
    return { instance: id, host: await store.change((tx) => cancelMove(tx, id, now)) }
  })
  type Evacuation = { Params: { name: string }; Querystring: { from?: string; live?: string } }
  server.get<Evacuation>(
    '/v1/hosts/:name/evacuation',
    async ({ params, query }): Promise<readonly MoveReport[]> =>
      read((tx) => evacuationOf(tx, hostOf(params.name), drivers, timeOf(query.from))),
  )
  server.post<Evacuation>('/v1/hosts/:name/evacuate', async ({ params, query }) => {
    const host = hostOf(params.name)
    await setDraining(store, host, true)
    const work = (tx: ReadTx) => evacuationOf(tx, host, drivers, timeOf(query.from))
    return { begun: await beginSome(await read(work), liveOf(query.live)) }
  })
  server.get('/v1/rebalance', async (): Promise<readonly MoveReport[]> => {
    return read((tx) => rebalanceOf(tx, { drivers, reserve }))
  })
}

/** Milliseconds since the epoch. Absent: never. */
function timeOf(text: string | undefined): number {
  const ms = Number(text ?? Number.NaN)
  return Number.isFinite(ms) ? ms : Number.POSITIVE_INFINITY
}

function liveOf(text: string | undefined): Live {
  return text === 'if-possible' ? text : text === 'true'
}

function instanceOf(text: string): InstanceId {
  const id = parseId('i', text)
  if (id !== undefined) return id
  throw refused(
    'InvalidInstanceID.Malformed',
    `"${text}" is not an instance id; it looks like i-0123456789abcdef0`,
  )
}

function hostOf(text: string): HostName {
  const host = parseHostName(text)
  if (host !== undefined) return host
  throw refused('InvalidParameterValue', `"${text}" is not a valid host name; see: atoll hosts`)
}
