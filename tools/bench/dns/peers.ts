/**
 * The resolvers that `dns` measures, each as one process at an address of its own in one network
 * namespace, all with the same names and the same server outside.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Ipv4, ipv4 } from '../../../src/model/addr.ts'
import { endChild } from '../../kit/child.ts'
import { eventually, type Netns } from '../../kit/netns.ts'
import { nameOf, OUTSIDE, reverseOf, ZONE } from './names.ts'
import type { ServerSettings } from './server.ts'

export type ServerName = 'Atoll' | 'dnsmasq' | 'unbound' | 'knot-resolver'

/** Ours is at the address that the VPC's resolver has. */
const ADDRESSES: Readonly<Record<ServerName | 'outside', Ipv4>> = {
  Atoll: ipv4('10.0.0.2'),
  dnsmasq: ipv4('10.0.0.3'),
  unbound: ipv4('10.0.0.4'),
  'knot-resolver': ipv4('10.0.0.5'),
  outside: ipv4('10.0.0.6'),
}

/** The processor of servers; the load comes from the others. */
const SERVER_CPU = '0'
/** A server with 100,000 names reads its configuration for some seconds. */
const START_MS = 120_000
const SERVER = fileURLToPath(new URL('server.ts', import.meta.url))

export interface DnsServer {
  readonly name: ServerName
  readonly address: Ipv4
  readonly pid: number
  stop(): Promise<void>
}

export interface OurServer extends DnsServer {
  /** Changes the address of one name; resolves once it is served. */
  change(): Promise<void>
  residentBytes(): Promise<number>
}

/** Starts our resolver with these names. `cpu` is the processor that it runs on. */
export async function startOurs(
  netns: Netns,
  names: number,
  askers: readonly Ipv4[],
  cpu = SERVER_CPU,
): Promise<OurServer> {
  const settings: ServerSettings = { names, askers, forwarder: ADDRESSES.outside }
  const program = [process.execPath, SERVER, JSON.stringify(settings)]
  const child = start(netns, ['taskset', '--cpu-list', cpu, ...program])
  const lines = createInterface({ input: child.stdout })
  const answered = once(lines, 'line')
  await answered
  const ask = async (line: string): Promise<string> => {
    const answer = once(lines, 'line') as Promise<[string]>
    child.stdin.write(`${line}\n`)
    const [text] = await answer
    return text
  }
  return {
    name: 'Atoll',
    address: ADDRESSES.Atoll,
    pid: child.pid ?? 0,
    stop: () => endChild(child),
    change: async () => void (await ask('change')),
    residentBytes: async () => Number(await ask('memory')),
  }
}

/** Starts the others with these names, on the same processor, with files in `directory`. */
export async function startPeers(
  netns: Netns,
  directory: string,
  names: number,
): Promise<readonly DnsServer[]> {
  const all = Array.from({ length: names }, (_, at) => nameOf(at))
  const hosts = join(directory, 'hosts')
  await chmod(directory, 0o755)
  await writeFile(hosts, all.map(({ name, ip }) => `${ip} ${name}.${ZONE}\n`).join(''))
  const local = all.map(
    ({ name, ip }) =>
      `local-data: "${name}.${ZONE}. 30 A ${ip}"\nlocal-data: "${reverseOf(ip)}. 30 PTR ${name}.${ZONE}."\n`,
  )
  const zones = `local-zone: "${ZONE}." static\nlocal-zone: "10.in-addr.arpa." static\n`
  const outside = `forward-zone:\n  name: "."\n  forward-addr: ${ADDRESSES.outside}\n`
  const commands: Readonly<Record<Exclude<ServerName, 'Atoll'>, readonly string[]>> = {
    dnsmasq: dnsmasqCommand(hosts),
    unbound: await unbound(directory, 'unbound', zones + local.join(''), outside),
    'knot-resolver': await knotResolver(directory, hosts),
  }
  const started = Object.entries(commands).map(([name, argv]): DnsServer => {
    const child = start(netns, ['taskset', '--cpu-list', SERVER_CPU, ...argv])
    const known = name as ServerName
    const pid = child.pid ?? 0
    return { name: known, address: ADDRESSES[known], pid, stop: () => endChild(child) }
  })
  for (const { name, address } of started)
    await eventually(`${name} answers`, () => answers(netns, address), START_MS, 200)
  return started
}

/** Starts the server that has every name below `OUTSIDE`. */
export async function startOutside(netns: Netns, directory: string): Promise<void> {
  const zone = `local-zone: "${OUTSIDE}." redirect\nlocal-data: "${OUTSIDE}. 300 A 192.0.2.1"\n`
  start(netns, await unbound(directory, 'outside', zone, ''))
  await eventually('the server outside answers', () =>
    answers(netns, ADDRESSES.outside, `any.${OUTSIDE}`),
  )
}

/** `nsenter` and `taskset` become the program: its process id is that of the child. */
function start(netns: Netns, argv: readonly string[]) {
  const inside = ['nsenter', '--net', `--target=${netns.pid}`, '--', ...argv]
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...inside], { stdio: ['pipe', 'pipe', 'ignore'] })
}

async function answers(
  netns: Netns,
  server: Ipv4,
  name = `${nameOf(0).name}.${ZONE}`,
): Promise<boolean> {
  const asked = ['dig', '+short', '+tries=1', '+time=1', `@${server}`, name, 'A']
  return (await netns.run(asked)).stdout.trim() !== ''
}

function dnsmasqCommand(hosts: string): readonly string[] {
  return [
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--user=root'],
    ...['--no-resolv', '--no-hosts', `--addn-hosts=${hosts}`, `--server=${ADDRESSES.outside}`],
    ...[`--listen-address=${ADDRESSES.dnsmasq}`, '--bind-interfaces', '--local-ttl=30'],
    ...[`--local=/${ZONE}/`, '--local=/10.in-addr.arpa/', '--cache-size=10000'],
    '--dns-forward-max=1024',
  ]
}

async function unbound(
  directory: string,
  name: 'unbound' | 'outside',
  data: string,
  more: string,
): Promise<readonly string[]> {
  const file = join(directory, `${name}.conf`)
  const lines = [
    ...['server:', `interface: ${ADDRESSES[name]}`, 'access-control: 0.0.0.0/0 allow'],
    ...['do-daemonize: no', 'username: ""', 'chroot: ""', 'pidfile: ""', 'use-syslog: no'],
    ...['logfile: ""', 'num-threads: 1', 'module-config: "iterator"', 'so-rcvbuf: 1m'],
    ...['do-not-query-localhost: no', 'local-zone: "10.in-addr.arpa." nodefault', data, more],
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  return ['unbound', '-c', file]
}

async function knotResolver(directory: string, hosts: string): Promise<readonly string[]> {
  const file = join(directory, 'kresd.lua')
  const home = join(directory, 'kresd')
  await mkdir(home)
  const lines = [
    `net.listen('${ADDRESSES['knot-resolver']}', 53, { kind = 'dns' })`,
    "modules = { 'hints > iterate', 'policy' }",
    `hints.add_hosts('${hosts}')`,
    "trust_anchors.remove('.')",
    'cache.size = 100 * MB',
    `policy.add(policy.all(policy.STUB({ '${ADDRESSES.outside}' })))`,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  return ['kresd', '--noninteractive', '--config', file, home]
}
