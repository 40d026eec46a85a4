/** Links a VPC on this host with those that are peered with it. */
import type { VpcNamespaces } from '../../host/host.ts'
import type { Pass } from '../service.ts'

/**
 * Makes the links to those of its peers whose rules are in force, too (`isReady`). The others do it
 * when theirs are.
 */
export async function linkPeers(
  vpcs: Pick<VpcNamespaces, 'ensurePeerLinks'>,
  network: number,
  { want, log }: Pass,
  isReady: (network: number) => boolean,
): Promise<void> {
  const [own] = want.shared.vpcs
  if (own === undefined) return
  const peers = (want.peered ?? [])
    .filter(({ link }) => link !== null)
    .map((peer) => ({ network: peer.network, cidr: peer.cidr, isReady: isReady(peer.network) }))
  const changed = await vpcs.ensurePeerLinks({ network, cidr: own.cidr }, peers)
  if (changed.length > 0) log.info({ changed }, 'links between peered VPCs changed')
}
