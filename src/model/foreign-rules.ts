/**
 * Finds rules of other firewalls that drop packets which instances need. Pure.
 *
 * A drop in any base chain is final (nft(8)). So each base chain is evaluated by itself, with one
 * example of each kind of packet. A match that we cannot evaluate counts as not matching.
 */
import {
  type Cidr,
  cidrAddress,
  type Ipv4,
  ipv4,
  METADATA_ADDRESS,
  RESERVED_AT_START,
  RESOLVER_ADDRESS,
} from './addr.ts'
import {
  FABRIC_LINK,
  NIC_LINK_PREFIX,
  PEER_LINK_PREFIX,
  peerLinkName,
  TRANSIT_LINK_PREFIX,
  WORLD_LINK,
} from './names.ts'
import { transitOf } from './transit.ts'

/** Where the kernel calls a chain (nft(8), "netfilter hooks"). */
export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

/** One packet at one hook. Null: unknown. */
export interface Packet {
  readonly hook: Hook
  readonly iif: string | null
  readonly oif: string | null
  readonly protocol: 'udp' | 'tcp' | 'icmp'
  readonly sport: number | null
  readonly dport: number | null
  readonly from: Ipv4 | null
  readonly to: Ipv4 | null
  /**
   * State of connection tracking (nft(8), "ct state"). Packets to and from services are untracked
   * (`plan/budgets.ts`).
   */
  readonly state: 'new' | 'established' | 'related' | 'untracked'
  /** ICMP type, by its name in nft(8). */
  readonly icmp: string | null
}

/** Whether a packet matches. Null: cannot be told. */
export type Fit = boolean | null

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }

/** A rule of another firewall. */
export interface ForeignRule {
  /** As its program prints it. */
  readonly text: string
  readonly judge: (packet: Packet) => Verdict
}

/** A chain. Without a hook it can only be reached by jumps. */
export interface ForeignChain {
  /** Unique within its program, such as `inet firewalld` or `iptables-legacy filter`. */
  readonly table: string
  readonly name: string
  readonly hook: Hook | null
  readonly policy: 'accept' | 'drop'
  readonly rules: readonly ForeignRule[]
}

/** A chain that drops packets which instances need. */
export interface BlockingChain {
  readonly chain: string
  readonly table: string
  /** The rule that drops. Null: the chain's policy. */
  readonly rule: string | null
  /** What is lost, in words, without repetitions. */
  readonly loses: readonly string[]
  readonly hook: Hook
  /** Whether instances need these packets. If not, only `ping` and the like fail. */
  readonly isVital: boolean
}

/**
 * The chain that Docker leaves to others. While the daemon runs, it accepts our packets there
 * (`host/nftables/docker-user.ts`).
 */
const DOCKER_CHAIN = 'DOCKER-USER'
const FROM_PEERS = 'what instances on other hosts send'
/** What passes links to the namespaces of VPCs. */
const OF_VPCS = {
  out: 'what instances of VPCs send to the internet',
  back: 'what the internet answers instances of VPCs',
} as const
/** What passes links between peered VPCs. */
const OF_PEERED = {
  out: 'what instances send to peered VPCs',
  back: 'what instances of peered VPCs send',
} as const
const BY_NAT_GATEWAYS = {
  out: 'what instances on other hosts send out by a NAT gateway',
  back: 'what the internet answers instances on other hosts',
} as const
const DEPTH_LIMIT = 16
const CONTINUE: Verdict = { kind: 'continue' }

const NIC = `${NIC_LINK_PREFIX}0123456789`
/** An example of a link to a VPC. Which one a rule names is not known before. */
const { link: TRANSIT, address: BEHIND_TRANSIT } = transitOf(1)
const PEER = peerLinkName(1)
const ANY = ipv4('0.0.0.0')
const EVERYBODY = ipv4('255.255.255.255')
const NOTHING = { sport: null, dport: null, state: 'new', icmp: null, isVital: true } as const

/** Addresses for the example packets: of an instance, of another instance, and of the resolver. */
interface ProbeAddresses {
  readonly instance: Ipv4
  readonly other: Ipv4
  readonly resolver: Ipv4
  /** Whether there may be instances on other hosts. */
  readonly hasPeers: boolean
  /** Whether VPCs with a namespace of their own are here. */
  readonly hasVpcs: boolean
  /** Whether links to peered VPCs are here. */
  readonly isPeered: boolean
  /** Whether NAT gateways of the namespace are carried here for other hosts. */
  readonly isCarrying: boolean
  /** The link to the internet; null: one of the host's uplinks. */
  readonly world: string | null
}

/**
 * Example addresses in a subnet. `inVpc`: in the namespace of a VPC; else in the machine's own.
 */
export function probeAddresses(
  subnet: Cidr,
  {
    inVpc = false,
    ...known
  }: Pick<ProbeAddresses, 'hasPeers'> &
    Partial<Pick<ProbeAddresses, 'hasVpcs' | 'isPeered' | 'isCarrying'>> & {
      readonly inVpc?: boolean
    },
): ProbeAddresses {
  const [instance, other] = [
    cidrAddress(subnet, RESERVED_AT_START),
    cidrAddress(subnet, RESERVED_AT_START + 1),
  ]
  const none = { hasVpcs: false, isPeered: false, isCarrying: false }
  const world = inVpc ? WORLD_LINK : null
  return { instance, other, resolver: RESOLVER_ADDRESS, ...none, ...known, world }
}

interface Probe extends Packet {
  readonly name: string
  readonly isVital: boolean
}

/** Packets that instances send to this host. */
function toHost({ instance, resolver }: ProbeAddresses): readonly Probe[] {
  const state = 'untracked'
  const arriving = { ...NOTHING, iif: NIC, oif: null, from: instance, state } as const
  const asking = { ...arriving, sport: 40_000 }
  const dhcp = { sport: 68, dport: 67, from: ANY, to: EVERYBODY }
  const ping = { protocol: 'icmp', icmp: 'echo-request', isVital: false } as const
  return (['prerouting', 'input'] as const).flatMap((hook): Probe[] => [
    { ...arriving, ...dhcp, hook, name: 'DHCP', protocol: 'udp' },
    { ...asking, hook, name: 'DNS', protocol: 'udp', dport: 53, to: resolver },
    { ...asking, hook, name: 'DNS by TCP', protocol: 'tcp', dport: 53, to: resolver },
    { ...asking, hook, name: 'metadata', protocol: 'tcp', dport: 80, to: METADATA_ADDRESS },
    { ...arriving, ...ping, hook, name: 'ping of the gateway', to: resolver },
  ])
}

/** Packets that this host sends back. */
function fromHost({ instance, resolver }: ProbeAddresses): readonly Probe[] {
  const state = 'untracked'
  const going = { ...NOTHING, iif: null, oif: NIC, from: resolver, to: instance, state } as const
  const error = {
    protocol: 'icmp',
    icmp: 'destination-unreachable',
    isVital: false,
    state: 'related',
  } as const
  const page = { protocol: 'tcp', sport: 80, dport: 40_000, from: METADATA_ADDRESS } as const
  return (['output', 'postrouting'] as const).flatMap((hook): Probe[] => [
    { ...going, hook, name: 'answers of DHCP', protocol: 'udp', sport: 67, dport: 68 },
    { ...going, hook, name: 'answers of DNS', protocol: 'udp', sport: 53, dport: 40_000 },
    { ...going, ...page, hook, name: 'answers of metadata' },
    { ...going, ...error, hook, name: 'ICMP errors to instances' },
  ])
}

/** Packets that this host forwards. */
function through(places: ProbeAddresses): readonly Probe[] {
  const { instance, other, hasPeers, hasVpcs, isPeered, isCarrying, world } = places
  const any = { ...NOTHING, hook: 'forward', from: instance, to: other, sport: 40_000 } as const
  const tcp = { ...any, protocol: 'tcp', dport: 4_000 } as const
  const ping = { ...any, protocol: 'icmp', icmp: 'echo-request', sport: null } as const
  const back = {
    from: null,
    to: instance,
    sport: 443,
    dport: 40_000,
    state: 'established',
  } as const
  const leaving = { from: BEHIND_TRANSIT, to: null, dport: 443 } as const
  const out = 'what instances send to other hosts'
  return [
    { ...tcp, name: 'what instances send each other', iif: NIC, oif: NIC },
    { ...ping, name: 'ping among instances', iif: NIC, oif: NIC, isVital: false },
    {
      ...tcp,
      name: 'what instances send to the internet',
      iif: NIC,
      oif: world,
      to: null,
      dport: 443,
    },
    { ...tcp, ...back, name: 'what the internet answers instances', iif: world, oif: NIC },
    ...(hasVpcs
      ? [
          { ...tcp, ...leaving, name: OF_VPCS.out, iif: TRANSIT, oif: null },
          { ...tcp, ...back, name: OF_VPCS.back, iif: null, oif: TRANSIT, to: BEHIND_TRANSIT },
        ]
      : []),
    ...(isPeered
      ? [
          { ...tcp, name: OF_PEERED.out, iif: NIC, oif: PEER, to: null },
          { ...tcp, name: OF_PEERED.back, iif: PEER, oif: NIC, from: null, to: instance },
        ]
      : []),
    ...(isCarrying
      ? [
          { ...tcp, name: BY_NAT_GATEWAYS.out, iif: FABRIC_LINK, oif: world, to: null, dport: 443 },
          { ...tcp, ...back, name: BY_NAT_GATEWAYS.back, iif: world, oif: FABRIC_LINK },
        ]
      : []),
    ...[FABRIC_LINK, ...(world === null ? [null] : [])].flatMap((link): Probe[] =>
      hasPeers
        ? [
            { ...tcp, name: FROM_PEERS, iif: link, oif: NIC },
            { ...tcp, name: out, iif: NIC, oif: link },
          ]
        : [],
    ),
  ]
}

/** Chains that drop packets which instances need, each with the first such rule. */
export function findBlockingChains(
  chains: readonly ForeignChain[],
  addresses: ProbeAddresses,
): readonly BlockingChain[] {
  const byName = new Map(chains.map((chain) => [`${chain.table} ${chain.name}`, chain]))
  const all = [...toHost(addresses), ...fromHost(addresses), ...through(addresses)]
  return chains.flatMap((chain): BlockingChain[] => {
    const { hook, table, name } = chain
    if (hook === null) return []
    const lost = all.flatMap((probe) => {
      if (probe.hook !== hook) return []
      const drop = follow(chain, probe, byName, 0)
      return drop === null || drop === 'accepted' ? [] : [{ probe, rule: drop.rule }]
    })
    const [first] = lost
    if (first === undefined) return []
    return [
      {
        table,
        chain: name,
        hook,
        rule: first.rule,
        loses: [...new Set(lost.map(({ probe }) => probe.name))],
        isVital: lost.some(({ probe }) => probe.isVital),
      },
    ]
  })
}

/** A problem and its fix, in words. */
export interface Finding {
  readonly what: string
  readonly fix: string
}

/** In words. */
export function explainBlockingChain(obstacle: BlockingChain): Finding {
  const { table, chain, rule, loses } = obstacle
  const by = rule === null ? 'by policy' : `by the rule "${rule}"`
  return { what: `${table} ${chain} drops ${loses.join(', ')} (${by})`, fix: fixOf(obstacle) }
}

function fixOf({ table, chain, rule, hook, loses }: BlockingChain): string {
  const links = lostLinks(loses)
  if (/ufw/.test(rule ?? ''))
    return links
      .flatMap((link) => [
        ...(link === NIC_LINK_PREFIX ? [`ufw allow in on ${link}+`] : []),
        `ufw route allow in on ${link}+`,
        `ufw route allow out on ${link}+`,
      ])
      .join('; ')
  if (/firewalld/.test(table)) return firewalldOrders(links, loses.includes(FROM_PEERS))
  const [, program, name] = /^(iptables\S*) (\S+)$/.exec(table) ?? []
  const isGoing = hook === 'output' || hook === 'postrouting'
  const ways = hook === 'forward' ? ['i', 'o'] : [isGoing ? 'o' : 'i']
  const orders = links.flatMap((link) =>
    ways.map((way) =>
      program === undefined
        ? `nft insert rule ${table} ${chain} ${way}ifname '"${link}*"' accept`
        : `${program} -t ${name} -I ${chain} -${way} ${link}+ -j ACCEPT`,
    ),
  )
  return `${orders.join('; ')}; and the same in what loads these rules`
}

/** How the names of the links begin whose packets are lost. */
function lostLinks(loses: readonly string[]): readonly string[] {
  const others = [
    [TRANSIT_LINK_PREFIX, OF_VPCS],
    [PEER_LINK_PREFIX, OF_PEERED],
    [FABRIC_LINK, BY_NAT_GATEWAYS],
  ] as const
  const linkOf = (name: string) =>
    others.find(([, of]) => Object.values<string>(of).includes(name))?.[0] ?? NIC_LINK_PREFIX
  const found = new Set<string>(loses.map(linkOf))
  return [NIC_LINK_PREFIX, ...others.map(([link]) => link)].filter((one) => found.has(one))
}

/**
 * Packets from other hosts arrive on a link of another zone, so they need a policy
 * (firewalld.policies(5)).
 */
function firewalldOrders(links: readonly string[], hasPeers: boolean): string {
  const set = 'firewall-cmd --permanent'
  const policy = ['--add-ingress-zone=ANY', '--add-egress-zone=trusted', '--set-target=ACCEPT']
  return [
    ...links.map((link) => `${set} --zone=trusted --add-interface=${link}+`),
    ...(hasPeers ? [`${set} --new-policy=atoll`] : []),
    ...(hasPeers ? policy.map((option) => `${set} --policy=atoll ${option}`) : []),
    'firewall-cmd --reload',
  ].join('; ')
}

type End = { readonly rule: string | null } | 'accepted' | null

/** What drops the packet, or that it is accepted. Null: evaluation returns to the calling chain. */
function follow(
  chain: ForeignChain,
  packet: Packet,
  byName: ReadonlyMap<string, ForeignChain>,
  depth: number,
): End {
  if (depth > DEPTH_LIMIT) return 'accepted'
  if (chain.name === DOCKER_CHAIN) return 'accepted'
  const isBase = chain.hook !== null
  for (const { judge, text } of chain.rules) {
    const verdict = judge(packet)
    if (verdict.kind === 'accept') return 'accepted'
    if (verdict.kind === 'drop') return { rule: text }
    if (verdict.kind === 'return') break
    if (verdict.kind === 'continue') continue
    const target = byName.get(`${chain.table} ${verdict.chain}`)
    const end = target === undefined ? null : follow(target, packet, byName, depth + 1)
    if (end !== null) return end
    if (verdict.kind === 'goto') break
  }
  return isBase && chain.policy === 'drop' ? { rule: null } : null
}

/** A rule that applies `verdict` to packets which match all of these. */
export function ruleOf(
  text: string,
  fits: readonly ((packet: Packet) => Fit)[],
  verdict: Verdict,
): ForeignRule {
  return {
    text,
    judge: (packet) => (fits.every((fitsOne) => fitsOne(packet) === true) ? verdict : CONTINUE),
  }
}

/** The negation. Unknown stays unknown. */
export function not(fit: Fit): Fit {
  return fit === null ? null : !fit
}

/** Whether a link's name is `pattern`, or begins with the part before `wildcard`. */
export function linkFits(link: string | null, pattern: string, wildcard: '*' | '+'): Fit {
  if (pattern === wildcard) return true
  // A link that is unknown is one of the host's uplinks, never ours.
  const prefix = pattern.endsWith(wildcard) ? pattern.slice(0, -1) : null
  if (link === null) return pattern.startsWith('at-') || pattern === 'lo' ? false : null
  return prefix === null ? link === pattern : link.startsWith(prefix)
}
