/**
 * The connections that image downloads may make, with this machine's loopback allowed: the servers
 * of tests are there.
 */
import { createOutbound, type Outbound } from '../../src/images/outbound.ts'
import { parseReach } from '../../src/images/outbound-policy.ts'

/** With the entries of `images.reach` that are given. */
export function outboundTo(...reach: readonly string[]): Outbound {
  const proxy = { http: null, https: null, except: [] }
  return createOutbound({
    reach: reach.flatMap((text) => parseReach(text) ?? []),
    engines: [],
    proxy,
  })
}
