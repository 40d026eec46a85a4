/** Guests of a VPC testbed with floating IPs, and where the names of these lead. */
import { ipv4 } from '../../src/model/addr.ts'
import { publicHostLabel } from '../../src/model/hostname.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { DNS_ZONE, type GuestSpec } from './vpc-testbed.ts'

/** The guests; those that have an address here get it as their floating IP. */
export function withFloatingIps(
  specs: readonly GuestSpec[],
  addresses: ReadonlyMap<GuestSpec, string>,
): readonly GuestSpec[] {
  return specs.map((one) => {
    const address = addresses.get(one)
    return address === undefined ? one : { ...one, publicIp: ipv4(address) }
  })
}

/** What the public name of a floating IP is resolved to by the VPC's resolver for this guest. */
export async function resolvePublicName(guest: Netns, floatingIp: string): Promise<string> {
  const name = `${publicHostLabel(ipv4(floatingIp))}.${DNS_ZONE}`
  const dig = ['dig', '+time=20', '+tries=2', '+short', '@169.254.169.253', name]
  return (await guest.run(dig)).stdout.trim()
}
