/** Settings of outbound address translation. */
import { z } from 'zod'
import { type Cidr, cidr, formatCidr, type Ipv4, parseCidr } from './model/addr.ts'
import { parseId } from './model/ids.ts'
import {
  type AddressRange,
  addressesOf,
  formatRange,
  parseRange,
  rangeSize,
  rangesOverlap,
  wholeRange,
} from './model/pools.ts'
import { TRANSIT_RANGE } from './model/transit.ts'

const SOURCES_MAX = 256
const VPCS_MAX = 1024
const EXCEPTIONS_MAX = 256

/** What no interface of a host has that packets leave by (RFC 6890), and what Atoll uses itself. */
const NO_SOURCE = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(cidr),
  TRANSIT_RANGE,
]

const vpcId = z.string().transform((text, context) => {
  const id = parseId('vpc', text)
  if (id !== undefined) return id
  context.addIssue('must be the id of a VPC, such as vpc-0123456789abcdef0')
  return z.NEVER
})

const exception = z.string().transform((text, context): Cidr => {
  const net = parseCidr(text)
  if (net !== undefined) return net
  context.addIssue('must be an IPv4 network without host bits, such as 10.0.0.0/8')
  return z.NEVER
})

const exceptions = z.array(exception).max(EXCEPTIONS_MAX)

/** Addresses of the host. A text means a list of one. */
const source = z
  .preprocess(
    (given) => (typeof given === 'string' ? [given] : given),
    z.array(z.string()).max(SOURCES_MAX),
  )
  .transform((texts, context): readonly Ipv4[] => {
    const addresses = new Set<Ipv4>()
    for (const text of texts) {
      const range = parseRange(text)
      const problem = range === undefined ? NO_RANGE : problemOf(range)
      if (problem !== null) context.addIssue(problem)
      else if (range !== undefined) for (const ip of addressesOf(range)) addresses.add(ip)
    }
    return [...addresses]
  })

const NO_RANGE =
  'must be addresses of this host, such as 198.51.100.7 or 198.51.100.16-198.51.100.19'

function problemOf(range: AddressRange): string | null {
  if (rangeSize(range) > SOURCES_MAX) return `has more than ${SOURCES_MAX} addresses`
  const reserved = NO_SOURCE.find((net) => rangesOverlap(range, wholeRange(net)))
  return reserved === undefined
    ? null
    : `${formatRange(range)} has addresses of ${formatCidr(reserved)}, with which nothing goes out`
}

/** `network.nat`. */
export const nat = z
  .strictObject({
    source: source
      .prefault([])
      .describe(
        'Addresses of this host that instances go out with, such as [198.51.100.7, 198.51.100.16-198.51.100.19]; []: that of the link they leave by (docs/nat.md)',
      ),
    vpcs: z
      .array(
        z.strictObject({
          vpc: vpcId,
          source: source.optional(),
          exceptions: exceptions.optional(),
        }),
      )
      .max(VPCS_MAX)
      .default([])
      .describe(
        'VPCs that go out with other addresses of this host, or have other exceptions: [{vpc: vpc-0123456789abcdef0, source: 198.51.100.8, exceptions: [10.0.0.0/8]}]',
      ),
    exceptions: exceptions
      .default([])
      .describe(
        'Networks that see the private addresses of instances, because their routers know the way back (docs/nat.md)',
      ),
  })
  .superRefine(({ vpcs }, context) => {
    for (const [at, { vpc }] of vpcs.entries())
      if (vpcs.findIndex((one) => one.vpc === vpc) < at)
        context.addIssue({ code: 'custom', path: ['vpcs', at], message: `${vpc} is there twice` })
  })
  .prefault({})
