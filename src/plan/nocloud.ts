/**
 * The NoCloud seed files, which cloud-init in an instance reads instead of the metadata service
 * (https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html). Pure.
 */
import type { InstanceWant } from '../model/want.ts'

/** The part of an instance that its seed files contain. */
export type Seeded = Pick<InstanceWant, 'id' | 'hostname' | 'publicKey' | 'userData' | 'nics'>

/** The seed's files by name. User data is passed on unchanged. */
export function renderSeed(want: Seeded): ReadonlyMap<string, string | Buffer> {
  return new Map<string, string | Buffer>([
    ['meta-data', renderMetaData(want)],
    // cloud-init takes a seed without this file for no seed at all, so it is written empty, too.
    ['user-data', Buffer.from(want.userData ?? '', 'base64')],
    ['network-config', renderNetwork(want)],
  ])
}

/** NoCloud's meta-data. JSON is valid YAML, so it needs no quoting of our own. */
export function renderMetaData(want: Pick<Seeded, 'id' | 'hostname' | 'publicKey'>): string {
  return `${JSON.stringify({
    'instance-id': want.id,
    'local-hostname': want.hostname,
    'public-keys': want.publicKey === null ? [] : [want.publicKey.trim()],
  })}\n`
}

/** Every NIC uses DHCP, whatever the guest calls it (cloud-init, "Networking config Version 2"). */
function renderNetwork({ nics }: Pick<Seeded, 'nics'>): string {
  const ethernets = Object.fromEntries(
    nics.map(({ mac, deviceIndex }) => [
      `nic${deviceIndex}`,
      { match: { macaddress: mac }, dhcp4: true },
    ]),
  )
  return `${JSON.stringify({ version: 2, ethernets })}\n`
}
