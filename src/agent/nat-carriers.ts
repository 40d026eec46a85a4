/**
 * Sees to it that a host carries each NAT gateway that has a floating IP (`plan/nat-carriers.ts`).
 *
 * There is no leader. Every host that has instances of the VPC asks the records, at an interval and
 * when a pass finds a gateway without a carrier, which gateways nobody can carry as it is. Whoever
 * finds one first names another host; one conditional statement decides among several. A host is
 * lost when its lease has expired by the store's clock.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { HostName, NatGatewayId } from '../model/ids.ts'
import { type Pool, poolWith } from '../model/pools.ts'
import type { NatGateway } from '../model/route-table.ts'
import { chooseCarrier } from '../plan/nat-carriers.ts'
import type { Snapshot } from '../plan/want.ts'
import type { ReadTx, Store } from '../store/store.ts'
import type { Duty } from './duty.ts'
import { startLoop } from './loop.ts'

/** What it works with. */
interface NatCarrierParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** From 0 up to 1. */
  readonly random: () => number
  /** How often the hosts ask, in milliseconds. */
  readonly intervalMs: number
  /** Whether a lease that has expired says that its host is lost. */
  readonly isSettled: () => boolean
}

/** The configured part. */
export interface NatCarrierSettings {
  /** Which zones addresses are for. */
  readonly pools: readonly Pool[]
}

/** Of many hosts, about so many ask in each interval. */
const ASKING = 5

/** Begins to look after gateways with the first pass. */
export function createNatCarriers(parts: NatCarrierParts & NatCarrierSettings): Duty {
  const { log, clock, random, intervalMs } = parts
  const moved = parts.metrics.counter(
    'atoll_nat_gateways_moved_total',
    'NAT gateways with a floating IP that this host has given to another host, or to itself',
  )
  let gateways: readonly NatGateway[] = []
  let asking = 1
  const loop = startLoop({
    work: async (signal) => {
      const ids = gateways.map(({ id }) => id)
      if (ids.length === 0 || signal.aborted || random() > asking) return
      for (const move of await assignCarriers(parts, ids)) {
        moved.inc()
        if (move.from === null) log.info({ ...move }, 'a NAT gateway goes out by a host')
        else log.warn({ ...move }, 'a NAT gateway goes out by another host')
      }
    },
    ...{ intervalMs, clock },
    onError: (error) => log.debug({ error }, 'carriers of NAT gateways not checked'),
  })
  return {
    name: 'nat-carriers',
    run: async ({ routing, nics }) => {
      const all = routing.flatMap(({ natGateways }) => natGateways)
      gateways = all.filter(({ address }) => address !== undefined)
      if (gateways.length === 0) return false
      asking = ASKING / new Set(nics.map(({ host }) => host)).size
      if (gateways.some((one) => isLeft(one, nics))) loop.wake()
      return false
    },
    close: () => loop.close(),
  }
}

/** Whether the records of its VPC suffice to tell that no host carries it. */
function isLeft({ vpc, address }: NatGateway, nics: Snapshot['nics']): boolean {
  return !nics.some((nic) => nic.vpc === vpc && nic.host === address?.carrier)
}

/** A gateway that another host carries from now on. */
export interface CarrierMove {
  readonly gateway: NatGatewayId
  readonly from: HostName | null
  readonly to: HostName
}

/**
 * Names another carrier for each of these gateways that needs one and can have one. Errors: the
 * store's.
 */
export async function assignCarriers(
  parts: Pick<NatCarrierParts, 'store' | 'isSettled'> & NatCarrierSettings,
  ids: readonly NatGatewayId[],
): Promise<readonly CarrierMove[]> {
  const { store } = parts
  const uncarried = await store.single((tx) => tx.uncarriedNatGateways(ids))
  if (uncarried.length === 0) return []
  const moves: CarrierMove[] = []
  const needed = await store.read((tx) => movesFor(tx, uncarried, parts))
  for (const { gateway } of needed) {
    const done = await store.change(async (tx) => {
      const [move] = await movesFor(tx, [gateway], parts)
      if (move === undefined) return undefined
      const { vpc } = move
      return (await tx.carryNatGateway({ id: gateway, vpc }, move)) === 'done' ? move : undefined
    })
    if (done !== undefined) moves.push({ gateway, from: done.from, to: done.to })
  }
  return moves
}

/** What is to be changed by what the records say. */
async function movesFor(
  tx: ReadTx,
  ids: readonly NatGatewayId[],
  { pools, isSettled }: Pick<NatCarrierParts, 'isSettled'> & NatCarrierSettings,
): Promise<readonly (CarrierMove & Pick<NatGateway, 'vpc'>)[]> {
  const gateways = await tx.natGateways({ ids })
  const hosts = await tx.hosts()
  const nics = await tx.placedNics({ vpcs: [...new Set(gateways.map(({ vpc }) => vpc))] })
  const subnets = await tx.subnets({ ids: gateways.map(({ subnet }) => subnet) })
  return gateways.flatMap((gateway) => {
    const { id, vpc, subnet, address } = gateway
    if (address === undefined) return []
    const to = chooseCarrier(gateway, {
      hosts,
      members: nics.flatMap((nic) => (nic.vpc === vpc ? nic.host : [])),
      zone: subnets.find((one) => one.id === subnet)?.zone ?? '',
      zones: (address.ip === null ? undefined : poolWith(pools, address.ip))?.zones ?? null,
    })
    if (to === undefined || to === address.carrier) return []
    // Its lease may have expired with all others.
    const isLost = hosts.some(({ name, live }) => name === address.carrier && !live)
    if (isLost && !isSettled()) return []
    return [{ gateway: id, vpc, from: address.carrier, to }]
  })
}
