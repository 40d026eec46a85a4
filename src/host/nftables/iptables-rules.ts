/**
 * Parses the output of `iptables-save` (iptables-extensions(8)), of either program: rules of
 * xtables, as ufw, Docker and most scripts write them. A rule with an unknown part matches nothing.
 * Pure.
 */
import { cidrContains, parseCidr, parseIpv4 } from '../../model/addr.ts'
import {
  type Fit,
  type ForeignChain,
  type Hook,
  linkFits,
  not,
  type Packet,
  ruleOf,
  type Verdict,
} from '../../model/foreign-rules.ts'

/** Tables with filter rules. `nat` only sees first packets, and drops nothing of ours. */
const HOOKS: ReadonlyMap<string, Hook> = new Map([
  ['PREROUTING', 'prerouting'],
  ['INPUT', 'input'],
  ['FORWARD', 'forward'],
  ['OUTPUT', 'output'],
  ['POSTROUTING', 'postrouting'],
])
const TARGETS: ReadonlyMap<string, Verdict> = new Map([
  ['ACCEPT', { kind: 'accept' }],
  ['DROP', { kind: 'drop' }],
  ['REJECT', { kind: 'drop' }],
  ['RETURN', { kind: 'return' }],
  // A program such as an intrusion prevention system decides. It is assumed to accept.
  ['QUEUE', { kind: 'accept' }],
  ['NFQUEUE', { kind: 'accept' }],
])
const ICMP_TYPES: Readonly<Record<string, string>> = {
  '3': 'destination-unreachable',
  '8': 'echo-request',
  '0': 'echo-reply',
}

type Reader = (value: string, packet: Packet) => Fit
const address = (of: (packet: Packet) => Packet['from']): Reader => {
  return (value, packet) => {
    const ip = of(packet)
    const net = value.includes('/') ? parseCidr(value) : parseCidr(`${parseIpv4(value)}/32`)
    if (net?.prefix === 0) return true
    return ip === null || net === undefined ? null : cidrContains(net, ip)
  }
}
const ports = (of: (packet: Packet) => readonly (number | null)[]): Reader => {
  return (value, packet) => {
    const known = of(packet).filter((port) => port !== null)
    if (known.length === 0) return null
    return value.split(',').some((range) => {
      const [first = '', last = first] = range.split(':')
      return known.some((port) => port >= Number(first) && port <= Number(last || 65_535))
    })
  }
}
const states: Reader = (value, { state }) => value.split(',').includes(state.toUpperCase())
const isBroadcast = ({ to }: Packet) => to === '255.255.255.255'
/** By the host's routes: packets in the first two hooks are for the host itself. */
function destinationType(packet: Packet): string {
  if (isBroadcast(packet)) return 'BROADCAST'
  return packet.hook === 'input' || packet.hook === 'prerouting' ? 'LOCAL' : 'UNICAST'
}
const readers: Readonly<Record<string, Reader>> = {
  '-p': (value, { protocol }) => value === 'all' || value === protocol,
  '-s': address(({ from }) => from),
  '-d': address(({ to }) => to),
  '-i': (value, { iif, hook }) =>
    hook === 'output' || hook === 'postrouting' ? null : linkFits(iif, value, '+'),
  '-o': (value, { oif }) => linkFits(oif, value, '+'),
  '--sport': ports(({ sport }) => [sport]),
  '--sports': ports(({ sport }) => [sport]),
  '--dport': ports(({ dport }) => [dport]),
  '--dports': ports(({ dport }) => [dport]),
  '--ports': ports(({ sport, dport }) => [sport, dport]),
  '--ctstate': states,
  '--state': states,
  '--icmp-type': (value, { icmp }) =>
    value === 'any' || value === '255' || icmp === (ICMP_TYPES[value] ?? value),
  '--comment': () => true,
  '--dst-type': (value, packet) => value === destinationType(packet),
  '--pkt-type': (value, packet) => value === (isBroadcast(packet) ? 'broadcast' : 'unicast'),
}

/**
 * The chains of one program's tables. `program` is its name. Names and numbers are as
 * `iptables-save` prints them.
 */
export function parseIptables(saved: string, program: string): readonly ForeignChain[] {
  const chains = new Map<string, { chain: ForeignChain; rules: ForeignChain['rules'][number][] }>()
  let table = ''
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    if (table === 'nat') continue
    const declared = /^:(\S+) (\S+)/.exec(line)
    if (declared !== null) {
      const [, name = '', policy] = declared
      const rules: ForeignChain['rules'][number][] = []
      const hook = policy === '-' ? null : (HOOKS.get(name) ?? null)
      const verdict = policy === 'DROP' ? 'drop' : 'accept'
      const chain = { table: `${program} ${table}`, name, hook, policy: verdict, rules } as const
      chains.set(`${table} ${name}`, { chain, rules })
    }
    const rule = /^-A (\S+) ?(.*)$/.exec(line)
    if (rule === null) continue
    const [, name = '', text = ''] = rule
    chains.get(`${table} ${name}`)?.rules.push(parseRule(line, text))
  }
  return [...chains.values()].map(({ chain }) => chain)
}

function parseRule(line: string, text: string): ForeignChain['rules'][number] {
  const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    (one) => one[1] ?? one[2] ?? '',
  )
  const fits: ((packet: Packet) => Fit)[] = []
  let isNot = false
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const value = words[at + 1] ?? ''
    if (word === '!') {
      isNot = true
      continue
    }
    if (word === '-j' || word === '-g')
      return ruleOf(line, fits, verdictOf(value, word === '-j' ? 'jump' : 'goto'))
    const reader = readers[word]
    // The name of a module has no meaning by itself. An option of an unknown one may mean anything.
    if (word === '-m') at++
    else if (reader === undefined) fits.push(() => null)
    else {
      const isInverted = isNot
      fits.push((packet) => (isInverted ? not(reader(value, packet)) : reader(value, packet)))
      at++
    }
    isNot = false
  }
  return ruleOf(line, fits, { kind: 'continue' })
}

/** After a target that is not a chain, evaluation continues: it logs, marks or counts. */
function verdictOf(target: string, kind: 'jump' | 'goto'): Verdict {
  return TARGETS.get(target) ?? { kind, chain: target }
}
