/**
 * A guest of the host under test: a namespace with the instance's first NIC in it as eth0, not yet
 * configured.
 */
import type { Host, NicSpec } from '../../src/host/host.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { createNetns } from '../../tools/kit/netns.ts'

const MTU_BYTES = 1500

/** The instance's first NIC as the host port wants it. */
export function nicSpecOf(instance: InstanceWant): NicSpec {
  const [nic] = instance.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nicSpec(nic, MTU_BYTES, 'veth')
}

/**
 * Makes the link and plugs it in. `isStatic` also gives eth0 its address, as for an image that asks
 * no DHCP.
 */
export async function createGuest(
  host: Host,
  instance: InstanceWant,
  options: { readonly isStatic?: boolean } = {},
): Promise<Netns> {
  const guest = await createNetns('guest')
  await attachGuest(host, instance, guest, options)
  return guest
}

/**
 * Creates the link if it is missing and plugs it into the guest. Returns the inode of its
 * namespace.
 */
export async function attachGuest(
  host: Host,
  instance: InstanceWant,
  guest: Netns,
  options: { readonly isStatic?: boolean } = {},
): Promise<number> {
  const spec = nicSpecOf(instance)
  const address = { ip: spec.ip, prefix: 20, gateway: spec.gateway }
  await host.ensureNic(spec)
  return await host.plugNic(spec, guest.pid, {
    name: 'eth0',
    address: options.isStatic === true ? address : null,
  })
}
