/** Links a VPC on this host with those that are peered with it. */
import type { VpcNamespaces } from '../../host/host.ts'
import { MACHINE_NETWORK } from '../../model/peering.ts'
import type { Pass } from '../service.ts'

/**
 * Makes the links to those of its peers whose rules are in force, too (`isReady`). The others do it
 * when theirs are. The rules of the machine's own namespace come first in each pass.
 */
export async function linkPeers(
  vpcs: Pick<VpcNamespaces, 'ensurePeerLinks'>,
  network: number,
  { want, log }: Pass,
  isReady: (network: number) => boolean,
): Promise<void> {
  const cidrs = want.shared.vpcs.map(({ cidr }) => cidr)
  if (cidrs.length === 0) return
  const linked = (want.peered ?? []).filter(({ link }) => link !== null)
  const peers = [...Map.groupBy(linked, (peer) => peer.network)].map(([number, ranges]) => ({
    ...{ network: number, cidrs: ranges.map(({ cidr }) => cidr) },
    isReady: number === MACHINE_NETWORK || isReady(number),
  }))
  const [subnet] = want.shared.subnets
  const source = subnet === undefined ? {} : { source: subnet.gateway }
  const changed = await vpcs.ensurePeerLinks({ network, cidrs, ...source }, peers)
  if (changed.length > 0) log.info({ changed }, 'links between peered VPCs changed')
}
