/**
 * Moves of stopped instances between hosts.
 *
 * - Its part of the want: `local.moves`. What leaves is offered to the host that it moves to, what
 *   arrives is fetched, with its image. The records then give the instance to its new host; the
 *   driver of the old one removes it because it has no record there any more.
 * - A new daemon recognises a copy by the directory in the instance's home (`arrivals.ts`).
 * - If the daemon dies here, the next one goes on with the copy. The instance belongs to one host
 *   throughout, and starts on no other.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { unavailable } from '../../model/errors.ts'
import type { ArrivingWant, DepartingWant } from '../../model/move.ts'
import type { Fact, ImageWant } from '../../model/want.ts'
import type { HostService } from '../../services/service.ts'
import type { Mover, OpenDriver, WorkloadDriver } from '../driver.ts'
import { type ArrivalState, createArrivals, keyOfMove } from './arrivals.ts'
import { bytesPerSecond, createSender, type MoveIdentity } from './sender.ts'

/** How hosts reach each other. */
export interface MovesSettings {
  /** This host's address for others. */
  readonly address: string
  /** The same on all hosts. */
  readonly port: number
  /** How fast this host sends, for all moves together. */
  readonly mibPerSecond: number
  /** Errors: those of reading the certificates. */
  readonly identity: () => Promise<MoveIdentity>
}

interface MovesOptions extends MovesSettings {
  readonly drivers: readonly OpenDriver[]
  /** Asks for a pass. */
  readonly wake: () => void
  readonly clock: Clock
  readonly log: Log
}

/** How often it is said that nothing is new. */
const SAID_EVERY_MS = 15_000
const MS = 1000

type Moving = OpenDriver & { readonly driver: WorkloadDriver & { readonly mover: Mover } }

/** The service. */
export function createMoves(options: MovesOptions): HostService {
  const { address, port, identity, clock, log } = options
  const driverOf = ({ driver }: Pick<DepartingWant, 'driver'>) =>
    options.drivers.filter(canMove).find(({ declaration }) => declaration.name === driver)
  const sender = createSender({
    ...{ identity, clock, log, at: { address, port } },
    bytesPerSecond: bytesPerSecond(options.mibPerSecond),
    moverOf: (want) => driverOf(want)?.driver.mover,
  })
  const arrivals = createArrivals({
    ...options,
    async peerOf({ from: name, address: at }) {
      if (at === null) throw unavailable(`the address of ${name} is not known`)
      return { name, address: at, port, identity: await identity() }
    },
  })

  /** Since when the same is said of an arrival. */
  const said = new Map<string, { readonly message: string; readonly sinceMs: number }>()

  /** With the time, so that the records show that this host still works on it. */
  function withAge(key: string, message: string): string {
    const nowMs = clock.monotonic()
    const before = said.get(key)
    const sinceMs = before?.message === message ? before.sinceMs : nowMs
    said.set(key, { message, sinceMs })
    const seconds = Math.floor((nowMs - sinceMs) / SAID_EVERY_MS) * (SAID_EVERY_MS / MS)
    return seconds === 0 ? message : `${message}, for ${seconds} s`
  }

  function factOf(want: ArrivingWant<ImageWant>): Fact {
    const { instance: moved, bootCount } = want
    const found = stateOf(want, driverOf(want))
    if (found.kind === 'arrived') return { kind: 'move-arrived', moved, bootCount }
    if (found.kind === 'failed') return { kind: 'move-failed', moved, message: found.message }
    return { kind: 'move-progress', moved, message: withAge(keyOfMove(want), found.message) }
  }

  /** The image comes first: without it the disk is of no use. */
  function stateOf(want: ArrivingWant<ImageWant>, found: Moving | undefined): ArrivalState {
    if (found === undefined)
      return { kind: 'failed', message: `this host has no driver ${want.driver} that moves` }
    const image = found.images.look(want.image)
    if (image.kind === 'failed') return { kind: 'failed', message: `its image: ${image.message}` }
    if (image.kind === 'working') return { kind: 'working', message: `its image: ${image.message}` }
    return arrivals.look(want, found.driver)
  }

  return {
    name: 'moves',
    gate: false,
    async apply({ want: { local }, resync }) {
      const { moves = [] } = local
      const leaving = moves.filter((one) => one.kind === 'departing')
      const coming = moves.filter((one) => one.kind === 'arriving')
      const keys = new Set(coming.map(keyOfMove))
      arrivals.keep(keys)
      for (const key of said.keys()) if (!keys.has(key)) said.delete(key)
      if (resync || leaving.length > 0)
        for (const { driver } of options.drivers)
          await driver.mover?.unpackOthers(new Set(leaving.map(({ instance }) => instance)))
      const facts = coming.map(factOf)
      await sender.offer(leaving)
      return facts
    },
    async close() {
      await sender.close()
      await arrivals.close()
    },
  }
}

function canMove(one: OpenDriver): one is Moving {
  return one.driver.mover !== undefined
}
