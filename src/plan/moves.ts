/** What a host does for the moves of instances to and from it. Pure. */
import { byId, type HostName, type ImageId } from '../model/ids.ts'
import { driverOf } from '../model/image-location.ts'
import { byInstance, type HostMoves, type Move, type MoveWant } from '../model/move.ts'
import type { Instance, PeerHost } from '../model/records.ts'
import type { ImageWant, InstanceWant, LocalWant } from '../model/want.ts'

/** The records that it depends on. */
interface MoveRecords {
  readonly moves?: HostMoves | undefined
  readonly instances: readonly Instance[]
  readonly hosts: readonly PeerHost[]
}

/**
 * The instances that move to or from the host and may be copied. Nothing where there are none.
 * `imageOf` is the want of an image, for an instance of this driver.
 */
export function movesWant(
  host: HostName,
  { moves: known, instances, hosts }: MoveRecords,
  imageOf: (id: ImageId, instance: Instance) => ImageWant,
): Pick<LocalWant, 'moves'> {
  if (known === undefined) return {}
  const { moves, arriving } = known
  const copied = moves.filter(({ state }) => state === 'copying')
  const away = instancesOf(
    copied.filter(({ from }) => from === host),
    instances,
    host,
  )
  const here = instancesOf(
    copied.filter(({ to }) => to === host),
    arriving,
    null,
  )
  const wants: readonly MoveWant<ImageWant>[] = [
    ...away.map(([{ instance, bootCount, askedAtMs: move, to, live }, one]) => ({
      ...{ kind: 'departing' as const, instance, move, bootCount, to, ...liveIf(live) },
      driver: driverIn(one, imageOf),
    })),
    ...here.map(([{ instance, bootCount, askedAtMs: move, from, live }, one]) => ({
      ...{ kind: 'arriving' as const, instance, move, bootCount, from, ...liveIf(live) },
      driver: driverIn(one, imageOf),
      image: imageOf(one.image, one),
      address: hosts.find(({ name }) => name === from)?.fabricAddress ?? null,
    })),
  ]
  return wants.length === 0 ? {} : { moves: byInstance(wants) }
}

/** Those that move to the host while they run. Nothing where there are none. */
export function arrivingWants(
  { moves = [] }: Pick<LocalWant, 'moves'>,
  known: HostMoves | undefined,
  wantOf: (instance: Instance) => InstanceWant,
): Pick<LocalWant, 'arriving'> {
  const running = new Set(
    moves.flatMap((one) => (one.kind === 'arriving' && one.live === true ? one.instance : [])),
  )
  if (running.size === 0) return {}
  const found = known?.arriving.filter(({ id }) => running.has(id)) ?? []
  return { arriving: byId(found).map(wantOf) }
}

function liveIf(live: boolean): { readonly live?: true } {
  return live ? { live: true } : {}
}

function driverIn(instance: Instance, imageOf: (id: ImageId, one: Instance) => ImageWant) {
  const { location } = imageOf(instance.image, instance)
  return driverOf(instance, { location, hasVolume: false })
}

/** Each move with its instance, which is as it was when the copy began. */
function instancesOf(
  moves: readonly Move[],
  instances: readonly Instance[],
  host: HostName | null,
): readonly (readonly [Move, Instance])[] {
  return moves.flatMap((move) => {
    const one = instances.find(({ id }) => id === move.instance)
    const isAsCopied =
      one !== undefined &&
      one.host === (host ?? move.from) &&
      one.wanted === (move.live ? 'run' : 'stop') &&
      one.bootCount === move.bootCount
    return isAsCopied ? [[move, one] as const] : []
  })
}
