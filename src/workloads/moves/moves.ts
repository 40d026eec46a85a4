/**
 * Moves of instances between hosts, while they are stopped or while they run.
 *
 * - Its part of the want: `local.moves` and `local.arriving`. What leaves is offered to the host
 *   that it moves to, what arrives is fetched, with its image. The records then give the instance
 *   to its new host; the driver of the old one removes it because it has no record there any more.
 * - A new daemon recognises a copy by the directory in the instance's home (`arrivals.ts`).
 * - If the daemon dies here, the next one goes on with the copy. The instance belongs to one host
 *   throughout, and starts on no other.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { unavailable } from '../../model/errors.ts'
import type { ArrivingWant, DepartingWant } from '../../model/move.ts'
import type { Fact, HostWant, ImageWant } from '../../model/want.ts'
import type { ArrivalRecords, HostService } from '../../services/service.ts'
import type { Mover, OpenDriver, WorkloadDriver } from '../driver.ts'
import { type ArrivalState, createArrivals } from './arrivals.ts'
import { keyOfMove } from './key.ts'
import type { LiveArrival } from './live-arrival.ts'
import { createLiveNetworks, type LiveNetworkOf, type LiveNetworks } from './live-networks.ts'
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
  /** Absent: only the facts of passes say what has arrived. */
  readonly records?: ArrivalRecords
  /** The networks of instances that move while they run. */
  readonly networkOf: LiveNetworkOf
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
  const { address, port, identity, records, clock, log } = options
  const driverOf = ({ driver }: Pick<DepartingWant, 'driver'>) =>
    options.drivers.filter(canMove).find(({ declaration }) => declaration.name === driver)
  const networks = createLiveNetworks(options.networkOf, log)
  /** The newest. */
  let known: HostWant | null = null
  const sender = createSender({
    ...{ identity, clock, log, at: { address, port } },
    bytesPerSecond: bytesPerSecond(options.mibPerSecond),
    moverOf: (want) => driverOf(want)?.driver.mover,
    liveMoverOf: (want) => driverOf(want)?.driver.liveMover,
    async flowsOf({ instance: id }) {
      const instance = known?.local.instances.find((one) => one.id === id)
      return instance === undefined ? [] : await networks.read(instance)
    },
  })
  const arrivals = createArrivals({
    ...options,
    async peerOf({ from: name, address: at }) {
      if (at === null) throw unavailable(`the address of ${name} is not known`)
      return { name, address: at, port, identity: await identity() }
    },
  })

  const ages = createAges(clock)

  function factOf(want: ArrivingWant<ImageWant>, all: HostWant): Fact {
    const { instance: moved, move, bootCount } = want
    const found = stateOf(want, driverOf(want), all)
    if (found.kind === 'arrived') return { kind: 'move-arrived', moved, move, bootCount }
    if (found.kind === 'failed') return { kind: 'move-failed', moved, move, message: found.message }
    const message = ages.withAge(keyOfMove(want), found.message)
    return { kind: 'move-progress', moved, move, message }
  }

  /** The image comes first: without it the disk is of no use. */
  function stateOf(
    want: ArrivingWant<ImageWant>,
    found: Moving | undefined,
    all: HostWant,
  ): ArrivalState {
    if (found === undefined)
      return { kind: 'failed', message: `this host has no driver ${want.driver} that moves` }
    const image = found.images.look(want.image)
    if (image.kind === 'failed') return { kind: 'failed', message: `its image: ${image.message}` }
    if (image.kind === 'working') return { kind: 'working', message: `its image: ${image.message}` }
    if (want.live !== true) return arrivals.look(want, found.driver)
    const newest = () => known ?? all
    const live = liveArrival({ want, found, newest, networks, records, clock, log }, image.digest)
    if (live !== null) return arrivals.look(want, found.driver, live)
    return { kind: 'failed', message: `${want.driver} takes over no running instances here` }
  }

  return {
    name: 'moves',
    gate: false,
    async apply({ want: all, resync }) {
      known = all
      const { moves = [] } = all.local
      const leaving = moves.filter((one) => one.kind === 'departing')
      const coming = moves.filter((one) => one.kind === 'arriving')
      const keys = new Set(coming.map(keyOfMove))
      arrivals.keep(keys)
      ages.keep(keys)
      if (resync || leaving.length > 0)
        for (const { driver } of options.drivers)
          await driver.mover?.unpackOthers(new Set(leaving.map(({ instance }) => instance)))
      const facts = coming.map((one) => factOf(one, all))
      await sender.offer(leaving)
      return facts
    },
    async close() {
      await sender.close()
      await arrivals.close()
    },
  }
}

/** Since when the same is said of each arrival. */
function createAges(clock: Clock) {
  const said = new Map<string, { readonly message: string; readonly sinceMs: number }>()
  return {
    /** With the time, so that the records show that this host still works on it. */
    withAge(key: string, message: string): string {
      const nowMs = clock.monotonic()
      const before = said.get(key)
      const sinceMs = before?.message === message ? before.sinceMs : nowMs
      said.set(key, { message, sinceMs })
      const seconds = Math.floor((nowMs - sinceMs) / SAID_EVERY_MS) * (SAID_EVERY_MS / MS)
      return seconds === 0 ? message : `${message}, for ${seconds} s`
    },
    /** Forgets all others. */
    keep(keys: ReadonlySet<string>): void {
      for (const key of said.keys()) if (!keys.has(key)) said.delete(key)
    },
  }
}

interface Arriving extends Pick<MovesOptions, 'clock' | 'log'> {
  readonly records: ArrivalRecords | undefined
  readonly want: ArrivingWant<ImageWant>
  readonly found: Moving
  readonly newest: () => HostWant
  readonly networks: LiveNetworks
}

/** Null when this host cannot. */
function liveArrival(
  { want, found, newest, networks, records, clock, log }: Arriving,
  digest: string,
): LiveArrival | null {
  const { instance: id, move, bootCount } = want
  const { driver } = found
  const { liveMover: mover } = driver
  // Its addresses may change meanwhile.
  const now = () => newest().local.arriving?.find((one) => one.id === id)
  const instance = now()
  if (mover === undefined || instance === undefined) return null
  const arrival = { moved: id, move }
  return {
    ...{ self: newest().local.host, instance, digest, mover },
    carryOn: (flows) => networks.make(now() ?? instance, newest().shared, flows),
    async goOn(sinceMs) {
      const beganMs = clock.monotonic()
      const passedMs = (fromMs: number) => Math.round(clock.monotonic() - fromMs)
      try {
        if ((await records?.take({ ...arrival, bootCount })) !== true) return
        const recordedMs = passedMs(beganMs)
        // Without it, a pass is done meanwhile that leads packets to it and lets it go on.
        const arrived = now()
        await Promise.all([
          arrived === undefined ? null : networks.lead(arrived),
          driver.resume?.(id),
        ])
        const stillMs = sinceMs === null ? null : passedMs(sinceMs)
        const took = { stillMs, recordedMs, resumedMs: passedMs(beganMs) }
        log.info({ instance: id, ...took }, 'an instance that moved here goes on')
        if (stillMs !== null) await records?.wentOn(arrival, stillMs)
      } finally {
        records?.wake()
      }
    },
  }
}

function canMove(one: OpenDriver): one is Moving {
  return one.driver.mover !== undefined
}
