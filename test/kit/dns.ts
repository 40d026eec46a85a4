/** A DNS service under test, and servers for it to forward to: honest ones and hostile ones. */

import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts'
import { cidr, type Ipv4, ipv4, type Mac } from '../../src/model/addr.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { type AccountId, formatId, type HostName, type InstanceId } from '../../src/model/ids.ts'
import { OLDER_METADATA } from '../../src/model/metadata-options.ts'
import type { HostWant, InstanceWant, SharedWant } from '../../src/model/want.ts'
import { createDns, type DnsLimits, type DnsSettings } from '../../src/services/dns/dns.ts'
import { silentLog } from '../../tools/kit/log.ts'

export const ZONE = 'atoll.internal'
const VPC = formatId('vpc', Buffer.alloc(9, 1))
const SUBNET = formatId('subnet', Buffer.alloc(9, 1))
const VPC_CIDR = cidr('172.31.0.0/16')
const SUBNET_CIDR = cidr('172.31.0.0/20')
export const GATEWAY = ipv4('172.31.0.1')
/** Of the VPC and of its one subnet. */
export const VPC_RESOLVER = ipv4('172.31.0.2')

/** The id of the `index`-th instance. */
export function instanceId(index: number): InstanceId {
  return formatId('i', Buffer.alloc(9, index))
}

function instance(index: number, ip: Ipv4): InstanceWant {
  return {
    id: instanceId(index),
    account: '123456789012' as AccountId,
    reservation: formatId('r', Buffer.alloc(9, index)),
    launchIndex: 0,
    launchedAt: '2026-11-22T08:33:27.000Z',
    run: 'run',
    claimed: true,
    bootCount: 1,
    ran: true,
    image: {
      id: formatId('ami', Buffer.alloc(9, 1)),
      location: '',
      digest: null,
      driver: FIRST_DRIVERS.container,
    },
    driver: FIRST_DRIVERS.container,
    type: { name: 't.nano', vcpus: 1, memoryMiB: 64, diskGiB: 1 },
    disk: null,
    zone: 'atoll-1a',
    hostname: instanceId(index),
    keyName: null,
    publicKey: null,
    userData: null,
    tags: [],
    metadata: OLDER_METADATA,
    nics: [
      {
        id: formatId('eni', Buffer.alloc(9, index)),
        deviceIndex: 0,
        ip,
        mac: `02:00:00:00:00:0${index}` as Mac,
        vpc: VPC,
        vpcCidr: VPC_CIDR,
        subnet: SUBNET,
        subnetCidr: SUBNET_CIDR,
        gateway: GATEWAY,
        groups: [],
      },
    ],
  }
}

/**
 * A host whose instances have these addresses; each answers to its id, all of them to `web`, and
 * `more` is there too.
 */
export function wantWith(addresses: readonly Ipv4[], more: SharedWant['names'] = []): HostWant {
  const names = addresses.flatMap((ip, index) => [
    { name: instanceId(index + 1), ip, primary: true },
    { name: 'web', ip, primary: false },
  ])
  return {
    local: {
      host: 'host-1' as HostName,
      generation: 1,
      instances: addresses.map((ip, index) => instance(index + 1, ip)),
      images: [],
      volumes: [],
      captures: [],
      keptImages: null,
      unreadable: { ids: [], any: false },
    },
    shared: {
      subnets: [{ id: SUBNET, cidr: SUBNET_CIDR, gateway: GATEWAY }],
      vpcs: [{ id: VPC, cidr: VPC_CIDR }],
      groups: [],
      names: [...names, ...more],
      peers: [],
      routes: [],
    },
  }
}

export interface DnsUnderTest {
  apply(want: HostWant): Promise<void>
  finish(): Promise<void>
  close(): Promise<void>
  readonly metrics: Metrics
}

/** The service, with timeouts that a busy machine does not reach unless told otherwise. */
export function startDns(
  settings: Partial<DnsSettings>,
  limits: Partial<DnsLimits> = {},
): DnsUnderTest {
  const metrics = createMetrics()
  const service = createDns({
    settings: {
      zone: ZONE,
      forwarders: [],
      timeoutMs: 20_000,
      ttlSeconds: 30,
      cacheEntries: 1000,
      maxOutstanding: 100,
      forwardLocal: true,
      ...settings,
    },
    limits,
    metrics,
    log: silentLog,
    clock: systemClock,
  })
  const { signal } = new AbortController()
  return {
    metrics,
    finish: async () => {
      await service.finish?.()
    },
    close: () => service.close(),
    apply: async (want) => {
      await service.apply({ want, resync: false, signal, log: silentLog })
    },
  }
}

/**
 * The value of one series, 0 when it was never counted. `labels` is the text between the braces.
 */
export async function metric(metrics: Metrics, name: string, labels = ''): Promise<number> {
  const series = labels === '' ? name : `${name}{${labels}}`
  const line = (await metrics.render()).split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.slice(series.length + 1))
}

/** What a scripted server does with one query: the messages it sends back, in order. */
export type Script = (query: Buffer, peer: RemoteInfo) => readonly Buffer[]

/** A server that does as scripted, by UDP and (with `tcp`) by TCP. */
export async function scriptedServer(
  address: string,
  udp: Script,
  tcp?: (query: Buffer) => Buffer | null,
): Promise<{ readonly asked: Buffer[]; readonly peers: RemoteInfo[]; close(): Promise<void> }> {
  const asked: Buffer[] = []
  const peers: RemoteInfo[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, peer) => {
    asked.push(query)
    peers.push(peer)
    for (const reply of udp(query, peer)) socket.send(reply, peer.port, peer.address)
  })
  socket.bind(53, address)
  await once(socket, 'listening')
  const server = createServer((connection) => {
    connection.on('error', () => {})
    connection.on('data', (bytes: Buffer) => {
      if (tcp === undefined) return connection.destroy()
      const reply = tcp(bytes.subarray(2))
      if (reply === null) return undefined
      const length = Buffer.alloc(2)
      length.writeUInt16BE(reply.length)
      return connection.end(Buffer.concat([length, reply]))
    })
  })
  if (tcp !== undefined) {
    server.listen(53, address)
    await once(server, 'listening')
  }
  return {
    asked,
    peers,
    close: async () => {
      await new Promise<void>((resolve) => socket.close(() => resolve()))
      if (tcp !== undefined) await new Promise((resolve) => server.close(resolve))
    },
  }
}
