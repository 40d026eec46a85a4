/**
 * Finds rules of other programs in the namespace of a VPC that drop packets which its instances
 * need. It changes nothing. `/healthz` and the log report what it finds.
 *
 * The kernel says when somebody has changed tables that are not ours. So a namespace that nobody
 * touches costs nothing, however many there are. Only iptables-legacy is not announced: it is
 * looked for at each resync. No pass waits for it.
 */
import type { NamespaceHost } from '../../host/host.ts'
import { isForeignTable } from '../../host/nftables/foreign-rules.ts'
import type { Clock } from '../../lib/clock.ts'
import { throttle } from '../../lib/throttle.ts'
import {
  explainBlockingChain,
  type Finding,
  type ForeignChain,
  findBlockingChains,
  probeAddresses,
} from '../../model/foreign-rules.ts'
import { namespaceName } from '../../model/names.ts'
import { carriedAddresses } from '../../plan/carried-gateways.ts'
import type { HostService, Pass } from '../service.ts'

/** Shortest time between two looks. One starts several programs where there are such rules. */
const LOOK_MS = 5_000

export interface ForeignFirewallsOptions {
  readonly host: Pick<NamespaceHost, 'watchRules' | 'foreignChains'>
  /** The number of the VPC. */
  readonly network: number
  /** Whether there may be other hosts. */
  readonly hasPeers: boolean
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  /** Is told what is there now. */
  readonly found: (findings: readonly Finding[]) => void
}

/** The service. */
export function createForeignFirewalls(options: ForeignFirewallsOptions): HostService {
  const { host, network, hasPeers, clock, found } = options
  let last: Pick<Pass, 'log' | 'want'> | null = null
  let said: ReadonlySet<string> = new Set()
  let looking: Promise<void> = Promise.resolve()
  let isClosed = false

  const look = async () => {
    const [subnet] = last?.want.shared.subnets ?? []
    if (last === null || subnet === undefined) return
    const isPeered = (last.want.peered ?? []).length > 0
    const isCarrying = hasPeers && carriedAddresses(last.want.shared).size > 0
    const uses = { hasPeers, isPeered, isCarrying }
    const places = probeAddresses(subnet.cidr, { ...uses, inVpc: true })
    const findings = findingsIn(await host.foreignChains(), places, network)
    if (isClosed) return
    found(findings)
    for (const { what, fix } of findings)
      if (!said.has(what)) last.log.error({ what, fix }, 'another firewall disturbs instances')
    said = new Set(findings.map(({ what }) => what))
  }
  const turn = throttle(
    () => {
      looking = looking
        .then(look)
        .catch((error: unknown) =>
          last?.log.debug({ error }, 'could not check for other firewalls'),
        )
    },
    () => LOOK_MS,
    clock,
  )
  const stop = host.watchRules((tables) => {
    if (tables === null || [...tables].some(isForeignTable)) turn.call()
  })
  return {
    name: 'foreign-firewalls',
    gate: false,
    apply: async (pass) => {
      const isFirst = last === null
      last = pass
      if (isFirst || pass.resync) turn.call()
      return []
    },
    close: async () => {
      stop()
      turn.close()
      isClosed = true
      found([])
    },
  }
}

function findingsIn(
  chains: readonly ForeignChain[],
  places: ReturnType<typeof probeAddresses>,
  network: number,
): readonly Finding[] {
  const name = namespaceName(network)
  return findBlockingChains(chains, places)
    .filter(({ isVital }) => isVital)
    .map(explainBlockingChain)
    .map(({ what, fix }) => ({
      what: `in the network namespace ${name}: ${what}`,
      fix: `in there (ip netns exec ${name} sh): ${fix}`,
    }))
}
