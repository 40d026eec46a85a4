/**
 * What an instance's cloud-init reads when it does not ask the metadata service: the NoCloud files
 * (https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html). Pure.
 */
import type { InstanceWant } from '../model/want.ts'

/** What of an instance is in its files. */
export type Seeded = Pick<InstanceWant, 'id' | 'hostname' | 'publicKey' | 'userData' | 'nics'>

/** The files of the seed by their names. User data is given on as it came. */
export function renderSeed(want: Seeded): ReadonlyMap<string, string | Buffer> {
  return new Map<string, string | Buffer>([
    ['meta-data', renderMetaData(want)],
    // Without one there is no seed to cloud-init, even if there is nothing to say.
    ['user-data', Buffer.from(want.userData ?? '', 'base64')],
    ['network-config', renderNetwork(want)],
  ])
}

/** NoCloud's meta-data; JSON is YAML, so nothing needs quoting of our own. */
export function renderMetaData(want: Pick<Seeded, 'id' | 'hostname' | 'publicKey'>): string {
  return `${JSON.stringify({
    'instance-id': want.id,
    'local-hostname': want.hostname,
    'public-keys': want.publicKey === null ? [] : [want.publicKey.trim()],
  })}\n`
}

/**
 * Every NIC asks for its address, whatever the guest calls it (cloud-init, "Networking config
 * Version 2").
 */
function renderNetwork({ nics }: Pick<Seeded, 'nics'>): string {
  const ethernets = Object.fromEntries(
    nics.map(({ mac, deviceIndex }) => [
      `nic${deviceIndex}`,
      { match: { macaddress: mac }, dhcp4: true },
    ]),
  )
  return `${JSON.stringify({ version: 2, ethernets })}\n`
}
