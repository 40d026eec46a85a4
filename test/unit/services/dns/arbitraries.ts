/** Queries and zones for the DNS tests, made by an independent codec where one is needed. */
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { cidr, type Ipv4, ipv4 } from '../../../../src/model/addr.ts'
import type { VpcId } from '../../../../src/model/ids.ts'
import type { SharedWant } from '../../../../src/model/want.ts'
import { InstanceNames } from '../../../../src/services/dns/names.ts'
import { buildZone, type Zone, type ZoneSettings } from '../../../../src/services/dns/zone.ts'

const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?$/)
/** Dotted names of one to five labels. */
export const names = fc
  .array(label, { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join('.'))

export interface QueryOptions {
  readonly id?: number
  readonly class?: 'IN' | 'CH' | 'ANY'
  readonly recursion?: boolean
  readonly edns?: {
    readonly bytes?: number
    readonly dnssecOk?: boolean
    readonly version?: number
  } | null
}

/** A query by the `dns-packet` package. */
export function queryBytes(name: string, type: string, options: QueryOptions = {}): Buffer {
  const { edns = null } = options
  const opt = {
    type: 'OPT' as const,
    name: '.',
    udpPayloadSize: edns?.bytes ?? 4096,
    extendedRcode: 0,
    ednsVersion: edns?.version ?? 0,
    flags: edns?.dnssecOk === true ? dnsPacket.DNSSEC_OK : 0,
    flag_do: edns?.dnssecOk === true,
    options: [],
  }
  return dnsPacket.encode({
    type: 'query',
    id: options.id ?? 4711,
    flags: options.recursion === false ? 0 : dnsPacket.RECURSION_DESIRED,
    questions: [
      {
        name,
        type: type as dnsPacket.RecordType,
        class: options.class ?? 'IN',
      } as dnsPacket.Question,
    ],
    additionals: edns === null ? [] : [opt],
  })
}

export const ZONE = 'atoll.internal'
export const WEB_ADDRESSES: readonly Ipv4[] = ['172.31.0.7', '172.31.0.8', '172.31.0.9'].map(ipv4)

/** The zone of these records. */
export function zoneOf(
  { names, vpcs }: Pick<SharedWant, 'names' | 'vpcs'>,
  settings: ZoneSettings,
): Zone {
  const known = new InstanceNames(settings.zone)
  for (const _ of known.follow(names));
  return buildZone(vpcs, known, settings)
}

/** A VPC with three instances of the Name `web` and 200 of the Name `many`. */
export function sampleZone(): Zone {
  const instances = WEB_ADDRESSES.flatMap((ip, index) => [
    { name: `i-0000000000000000${index + 1}`, ip, primary: true },
    { name: `ip-${ip.replaceAll('.', '-')}`, ip, primary: false },
    { name: 'web', ip, primary: false },
  ])
  const many = Array.from({ length: 200 }, (_, index) => ({
    name: 'many',
    ip: ipv4(`172.31.1.${index}`),
    primary: false,
  }))
  return zoneOf(
    {
      names: [...instances, ...many],
      vpcs: [{ id: 'vpc-1' as VpcId, cidr: cidr('172.31.0.0/16') }],
    },
    { zone: ZONE, ttlSeconds: 30, negativeTtlSeconds: 5, forwardLocal: false },
  )
}
