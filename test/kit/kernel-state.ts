/**
 * Everything that the daemon makes in a network namespace, as lines of text. Two of them are equal
 * if the kernel would do the same: they have no counters, handles, indexes or orders without a
 * meaning. The calling thread must be in the namespace.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nftObjects } from '../../src/host/nftables/nft-listing.ts'
import { GATEWAY_LINK } from '../../src/model/names.ts'
import { silentLog } from '../../tools/kit/log.ts'

type Fields = Readonly<Record<string, unknown>>

const CUT = '-- cut here --'
const TIMEOUT_MS = 30_000
const OUTPUT_BYTES = 64 * 1024 * 1024
const LISTINGS = [
  'nft -j list ruleset',
  'ip -j -d link',
  'ip -j addr',
  'ip -j route show table all',
  'ip -j neigh show nud permanent',
  'ip -j rule',
  'bridge -j fdb show',
  'ss -H -l -n -t -u',
  // What `nics` does not look at: the other devices of ours.
  `cd /proc/sys/net/ipv4/conf && grep -s . at-*/forwarding at-*/proxy_arp at-*/rp_filter \
at-*/accept_redirects at-*/send_redirects || true`,
] as const

/** What the kernel has now. */
export async function kernelState(): Promise<readonly string[]> {
  const script = LISTINGS.join(`; echo '${CUT}'; `)
  const { stdout } = await promisify(execFile)('sh', ['-ec', script], {
    timeout: TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES,
  })
  const [ruleset = '', ...rest] = stdout.split(`${CUT}\n`)
  const [links, addresses, routes, neighbours, rules, forwarding] = rest.map(rowsOf)
  const host = createLinuxHost({ log: silentLog })
  const nics = await host.nics()
  await host.close()
  return [
    ...rulesetLines(ruleset),
    ...lines('link', (links ?? []).filter(isOurs).map(linkFields)),
    ...lines('address', (addresses ?? []).flatMap(addressFields)),
    ...lines('route', routes ?? []),
    ...lines('neighbour', neighbours ?? []),
    ...lines('rule', rules ?? []),
    // The gateway's bridge has nothing behind it but its own address, which is drawn by lot.
    ...lines(
      'forwarding',
      (forwarding ?? []).filter(({ ifname }) => ifname !== GATEWAY_LINK),
    ),
    ...lines(
      'nic',
      nics.map(({ index: _index, ...nic }) => nic),
    ),
    // State and queues are of no interest.
    ...(rest[6] ?? '')
      .split('\n')
      .map((line) => line.split(/\s+/))
      .map(([protocol = '', , , , local = '']) => `socket ${protocol} ${local}`),
    ...(rest[7] ?? '').split('\n').map((line) => `setting ${line}`),
  ].sort()
}

/** What one has and the other lacks, each line with its sign. */
export function differences(
  expected: readonly string[],
  found: readonly string[],
): readonly string[] {
  const extra = [...found]
  const missing = expected.filter((line) => {
    const at = extra.indexOf(line)
    if (at >= 0) extra.splice(at, 1)
    return at < 0
  })
  return [...missing.map((line) => `- ${line}`), ...extra.map((line) => `+ ${line}`)]
}

function rowsOf(text: string): readonly Fields[] {
  try {
    return JSON.parse(text)
  } catch {
    return []
  }
}

function lines(kind: string, rows: readonly unknown[]): readonly string[] {
  return rows.map((row) => `${kind} ${JSON.stringify(row)}`)
}

function pick(from: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, from[name]]))
}

function isOurs({ ifname }: Fields): boolean {
  return String(ifname).startsWith('at-')
}

/** The address of the gateway's bridge is drawn by lot, and no packet shows it. */
function linkFields(link: Fields): Fields {
  const info: Fields = Object(link['linkinfo'])
  const kind = info['info_kind']
  const { info_data: data } = info
  return {
    ...pick(link, 'ifname', 'link', 'operstate', 'master', 'promiscuity'),
    // A guest end gets its MTU when it is moved into the guest.
    mtu: /^at-g[0-9a-f]{11}$/.test(String(link['ifname'])) ? null : link['mtu'],
    flags: [link['flags']].flat().sort(),
    address: kind === 'bridge' ? null : link['address'],
    kind,
    data: kind === 'bridge' ? null : data,
  }
}

function addressFields(link: Fields): readonly Fields[] {
  const list: readonly Fields[] = Array.isArray(link['addr_info']) ? link['addr_info'] : []
  return list
    .filter(({ family }) => family === 'inet')
    .map((each) => ({ on: link['ifname'], ...pick(each, 'local', 'prefixlen', 'scope') }))
}

/** A line for each object; the rules of a chain together, because their order counts. */
function rulesetLines(text: string): readonly string[] {
  const chains = new Map<string, string[]>()
  const others: string[] = []
  for (const object of nftObjects(JSON.parse(text))) {
    const [[kind = '', value] = []] = Object.entries(object)
    const fields: Fields = Object(value)
    if (kind === 'metainfo') continue
    const told = JSON.stringify('size' in fields ? { ...fields, elem: [] } : fields, inOneOrder)
    if (kind !== 'rule') {
      others.push(`nft ${kind} ${told}`)
      continue
    }
    const name = ['family', 'table', 'chain'].map((field) => fields[field]).join(' ')
    chains.set(name, [...(chains.get(name) ?? []), told])
  }
  return [
    ...others,
    ...[...chains].map(([name, rules]) => `nft chain ${name}: ${rules.join('\n')}`),
  ]
}

const VOLATILE = new Set(['handle', 'packets', 'bytes'])

/** Elements of sets, named or not, have no order. */
function inOneOrder(key: string, value: unknown): unknown {
  if (VOLATILE.has(key)) return undefined
  if (!Array.isArray(value) || (key !== 'elem' && key !== 'set')) return value
  return value.map((element) => JSON.stringify(element, inOneOrder)).sort()
}
