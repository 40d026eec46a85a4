/** The types of values in settings, each with its limits and error messages. */
import { z } from 'zod'
import { parseCidr, parseIpv4 } from './model/addr.ts'
import { parseHostName } from './model/ids.ts'

/** A TCP or UDP port. */
export const port = z.int().min(1).max(65_535)
/** A path from the root. */
export const absolutePath = z.string().startsWith('/', 'must be an absolute path')
/** A host's name. */
export const label = z.string().transform((text, context) => {
  const name = parseHostName(text)
  if (name !== undefined) return name
  context.addIssue('must be one DNS label: a-z, 0-9 and inner hyphens, at most 63 characters')
  return z.NEVER
})
/** An IPv4 address. */
export const ipv4Text = z.string().transform((text, context) => {
  const ip = parseIpv4(text)
  if (ip !== undefined) return ip
  context.addIssue('must be an IPv4 address such as 192.0.2.1')
  return z.NEVER
})
/** A network of a size that a VPC or a subnet may have. */
export const ipv4Network = z.string().transform((text, context) => {
  const net = parseCidr(text)
  if (net !== undefined && net.prefix >= 16 && net.prefix <= 28) return net
  context.addIssue(
    'must be an IPv4 network between /16 and /28 without host bits, such as 172.31.0.0/16',
  )
  return z.NEVER
})
/** A network in a list of allowed destinations: from a single address up to a /8. */
export const reachedNetwork = z.string().transform((text, context) => {
  const net = parseCidr(text)
  if (net !== undefined && net.prefix >= 8) return net
  context.addIssue(
    'must be an IPv4 network of /8 or smaller without host bits, such as 192.0.2.0/24 or 192.0.2.7/32',
  )
  return z.NEVER
})
/** A zone. */
export const dnsName = z
  .string()
  .max(200)
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a lower-case DNS name without a final dot',
  )
/** An engine's address, `host:port`, by IPv4 or DNS name. The port is optional. */
const nodeAddress = z
  .string()
  .max(260)
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(?::[1-9][0-9]{0,4})?$/,
    'must be an address or name, optionally with a port: 10.0.0.1 or db1.example:3306',
  )
/** Engines, in order of preference. */
export const nodeList = z.array(nodeAddress).max(16)
/** All kinds of engine except the embedded one need addresses. */
export function needsNodes(embedded: string) {
  return (
    { kind, nodes }: { readonly kind: string; readonly nodes: readonly string[] },
    context: z.RefinementCtx,
  ) => {
    if (kind !== embedded && nodes.length === 0)
      context.addIssue({ code: 'custom', path: ['nodes'], message: `is needed with kind ${kind}` })
  }
}
/** A region or an availability zone. */
export const zoneName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens')
